"""The HTTP API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from compute import bodies, cloud
from compute.bodies import answer, read, shown
from compute.errors import AlreadyExists, CloudError, InUse, NoHost, NotFound, NotNow
from compute.interfaces import ComputeAPI
from compute.listener import listening_socket, serving
from compute.objects.flavor import Flavor, FlavorList
from compute.objects.instance import Instance, InstanceList
from compute.objects.security_group import SecurityGroup, SecurityGroupList
from compute.settings import settings
from midflight import (
    Conflict,
    Context,
    InvalidValue,
    MidflightError,
    PinnedOut,
    RemoteError,
    Runtime,
    VersionRejected,
)

DRAIN_SECONDS = 15.0
"""How long accepted requests may take once the service is stopping."""
STATUS: tuple[tuple[type[Exception], int], ...] = (
    (NotFound, 404),
    (AlreadyExists, 409),
    (InUse, 409),
    (NotNow, 409),
    (NoHost, 503),
    (Conflict, 409),
    (PinnedOut, 409),
    (InvalidValue, 400),
    (ClientDisconnect, 400),
    (ConnectionError, 503),  # NotDelivered, and a broker or database that does not answer
    (TimeoutError, 503),  # Unknown
    (VersionRejected, 502),
    (RemoteError, 502),
)
"""What an error means to the outside; any other is a fault of this program."""


class Api:
    """The handlers. Each request has a context of its own, which says whose it is."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def context(self, request: Request) -> Context:
        """Who asks: the project of the header X-Project, which is required, and the user of X-User."""
        project, user = request.headers.get("x-project", ""), request.headers.get("x-user", "")
        if not 1 <= len(project) <= 255 or len(user) > 255:
            raise HTTPException(400, "give the header X-Project, and X-User if you like, each up to 255 characters")
        return self.runtime.context(project=project, **({"user": user} if user else {}))

    async def list_flavors(self, request: Request) -> Response:
        flavors = await FlavorList.get_all(self.context(request))
        return answer({"flavors": [shown(flavor, bodies.FLAVOR) for flavor in flavors]})

    async def create_flavor(self, request: Request) -> Response:
        context, wanted = self.context(request), await read(request, bodies.NewFlavor)
        flavor = Flavor(
            context=context,
            name=wanted.name,
            memory_mb=wanted.memory_mb,
            vcpus=wanted.vcpus,
            root_gb=wanted.root_gb,
            description=wanted.description,
        )
        await flavor.create()
        return answer(shown(flavor, bodies.FLAVOR), 201)

    async def show_flavor(self, request: Request) -> Response:
        flavor = await Flavor.get_by_name(self.context(request), request.path_params["name"])
        return answer(shown(flavor, bodies.FLAVOR))

    async def list_groups(self, request: Request) -> Response:
        context = self.context(request)
        groups = await SecurityGroupList.get_by_project(context, context.values["project"])
        return answer({"security_groups": [shown(group, bodies.SECURITY_GROUP) for group in groups]})

    async def create_group(self, request: Request) -> Response:
        context, wanted = self.context(request), await read(request, bodies.NewSecurityGroup)
        project, user = context.values["project"], context.values.get("user")
        group = SecurityGroup(
            context=context, name=wanted.name, description=wanted.description, user_id=user, project_id=project
        )
        await group.create()
        return answer(shown(group, bodies.SECURITY_GROUP), 201)

    async def show_group(self, request: Request) -> Response:
        return answer(shown(await self._group(request), bodies.SECURITY_GROUP))

    async def delete_group(self, request: Request) -> Response:
        group = await self._group(request)
        await group.destroy()
        return Response(status_code=204)

    async def _group(self, request: Request) -> SecurityGroup:
        context = self.context(request)
        group = await SecurityGroup.get(context, _row_id("security group", request.path_params["id"]))
        if group.project_id != context.values["project"]:
            raise NotFound("security group", str(group.id))
        return group

    async def list_instances(self, request: Request) -> Response:
        context = self.context(request)
        instances = await InstanceList.get_by_project(context, context.values["project"])
        return answer({"instances": [_instance(instance) for instance in instances]})

    async def create_instance(self, request: Request) -> Response:
        context, wanted = self.context(request), await read(request, bodies.NewInstance)
        project, user = context.values["project"], context.values.get("user")
        flavor = await _named_flavor(context, wanted.flavor)
        groups = [await _named_group(context, project, name) for name in dict.fromkeys(wanted.security_groups)]
        instance = Instance(
            context=context, display_name=wanted.display_name, flavor=flavor, user_id=user, project_id=project,
            metadata=wanted.metadata, launch_index=wanted.launch_index,
            access_ip_v4=wanted.access_ip_v4, access_ip_v6=wanted.access_ip_v6,
        )  # fmt: skip
        return answer(_instance(await cloud.build(context, instance, flavor, groups)), 202)

    async def show_instance(self, request: Request) -> Response:
        instance = await self._instance(request)
        groups = await SecurityGroupList.get_by_instance(instance.context, instance)
        return answer({**_instance(instance), "security_groups": [group.name for group in groups]})

    async def reboot(self, request: Request) -> Response:
        wanted, instance = await read(request, bodies.Reboot), await self._instance(request)
        return answer(_instance(await cloud.reboot(instance.context, instance, wanted.hard)), 202)

    async def resize(self, request: Request) -> Response:
        wanted, instance = await read(request, bodies.Resize), await self._instance(request)
        flavor = await _named_flavor(instance.context, wanted.flavor)
        return answer(_instance(await cloud.resize(instance.context, instance, flavor)), 202)

    async def migrate(self, request: Request) -> Response:
        wanted, instance = await read(request, bodies.Migrate), await self._instance(request)
        active = self.runtime.hosts(ComputeAPI.topic)
        if wanted.host is not None and wanted.host not in active:
            raise NotNow(str(instance.uuid), f"{wanted.host!r} is none of the active hosts {', '.join(active)}")
        return answer(_instance(await cloud.migrate(instance.context, instance, wanted.host)), 202)

    async def pause(self, request: Request) -> Response:
        await read(request, bodies.Nothing)
        instance = await self._instance(request)
        return answer(_instance(await cloud.pause(instance.context, instance)), 202)

    async def resume(self, request: Request) -> Response:
        await read(request, bodies.Nothing)
        instance = await self._instance(request)
        return answer(_instance(await cloud.resume(instance.context, instance)), 202)

    async def lock(self, request: Request) -> Response:
        await read(request, bodies.Nothing)
        instance = await self._instance(request)
        await cloud.lock(instance, locked=request.url.path.endswith("/lock"))
        return answer(_instance(instance))

    async def delete_instance(self, request: Request) -> Response:
        instance = await self._instance(request)
        return answer(_instance(await cloud.delete(instance.context, instance)), 202)

    async def _instance(self, request: Request) -> Instance:
        return await cloud.find(self.context(request), request.path_params["uuid"])


def _instance(instance: Instance) -> dict[str, object]:
    return {**shown(instance, bodies.INSTANCE), "flavor": shown(instance.flavor, bodies.FLAVOR)}


def _row_id(what: str, text: str) -> int:
    """The id in a path. Raises NotFound for what no row can have."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise NotFound(what, text[:40])
    return int(text)


async def _named_flavor(context: Context, name: str) -> Flavor:
    """A flavor that a body names: that there is none is a mistake in the body."""
    try:
        return await Flavor.get_by_name(context, name)
    except NotFound as missing:
        raise HTTPException(400, str(missing)) from None


async def _named_group(context: Context, project: str, name: str) -> SecurityGroup:
    try:
        return await SecurityGroup.get_by_name(context, project, name)
    except NotFound as missing:
        raise HTTPException(400, str(missing)) from None


def refused(request: Request, error: Exception) -> Response:
    """The answer to a request that failed."""
    if isinstance(error, HTTPException):
        text = f"{request.method} {request.url.path}: {error.detail}"
        response = answer({"error": text}, error.status_code)
        if error.status_code == 405:
            response.headers["Allow"] = _allowed(request)
        return response
    status = next((status for kind, status in STATUS if isinstance(error, kind)), 500)
    return answer({"error": str(error)}, status)


def _allowed(request: Request) -> str:
    """The methods of a path."""
    routes = [route for route in request.app.routes if route.path_regex.match(request.url.path)]
    return ", ".join(sorted({method for route in routes for method in route.methods}))


def application(runtime: Runtime) -> Starlette:
    """All paths."""
    api = Api(runtime)
    routes = [
        Route("/flavors", api.list_flavors, methods=["GET"]),
        Route("/flavors", api.create_flavor, methods=["POST"]),
        Route("/flavors/{name}", api.show_flavor, methods=["GET"]),
        Route("/security-groups", api.list_groups, methods=["GET"]),
        Route("/security-groups", api.create_group, methods=["POST"]),
        Route("/security-groups/{id}", api.show_group, methods=["GET"]),
        Route("/security-groups/{id}", api.delete_group, methods=["DELETE"]),
        Route("/instances", api.list_instances, methods=["GET"]),
        Route("/instances", api.create_instance, methods=["POST"]),
        Route("/instances/{uuid}", api.show_instance, methods=["GET"]),
        Route("/instances/{uuid}", api.delete_instance, methods=["DELETE"]),
        Route("/instances/{uuid}/reboot", api.reboot, methods=["POST"]),
        Route("/instances/{uuid}/resize", api.resize, methods=["POST"]),
        Route("/instances/{uuid}/migrate", api.migrate, methods=["POST"]),
        Route("/instances/{uuid}/pause", api.pause, methods=["POST"]),
        Route("/instances/{uuid}/resume", api.resume, methods=["POST"]),
        Route("/instances/{uuid}/lock", api.lock, methods=["POST"]),
        Route("/instances/{uuid}/unlock", api.lock, methods=["POST"]),
    ]
    kinds = (HTTPException, CloudError, MidflightError, ClientDisconnect, Exception)
    return Starlette(routes=routes, exception_handlers=dict.fromkeys(kinds, refused))


@asynccontextmanager
async def api(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    """The service. It serves the outside only, up to the last request that it accepted."""
    chosen = settings(runtime.settings)
    listening = listening_socket(list(runtime.sockets), chosen.http_host, chosen.http_port)
    async with serving(application(runtime), listening, DRAIN_SECONDS):
        yield []
