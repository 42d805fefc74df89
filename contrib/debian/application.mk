# What the recipes of both applications have in common. contrib/debian/build lays it into their folders debian.
python = $(shell /usr/bin/python3 -c 'import sys; a, b = sys.version_info[:2]; \
	print(f"python3 (>= {a}.{b}~), python3 (<< {a}.{b + 1}~)")')

%:
	dh $@ --with installsysusers

# A service is enabled, and started, by whoever has written down in /etc where its fleet is. service.postinst restarts one
# that runs.
override_dh_installsystemd:
	dh_installsystemd --no-enable --no-start --no-stop-on-upgrade --no-restart-after-upgrade

# No service may write bytecode there, so it is made when the code is installed. These are dh_python3's lines.
execute_before_dh_installdeb:
	echo 'py3compile -p $(app) /usr/lib/$(app)' >> debian/$(app).postinst.debhelper
	echo 'py3clean -p $(app) /usr/lib/$(app)' >> debian/$(app).prerm.debhelper

# Extensions stay as their authors have built them, and as the lock has hashed them.
override_dh_strip override_dh_dwz override_dh_strip_nondeterminism override_dh_makeshlibs:

override_dh_shlibdeps:
	dh_shlibdeps -- --ignore-missing-info

# Extensions are for one version of Python.
override_dh_gencontrol:
	dh_gencontrol -- -Vpython3:Depends="$(python)"

# An eighth larger, and three times as soon.
override_dh_builddeb:
	dh_builddeb -- -z2
