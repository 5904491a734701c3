"""What a server is and how it does: /policy, /health, /metrics."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter
from starlette.responses import Response

from recframe.feedback import StoreError
from recframe.server.app_state import ServiceOf
from recframe.server.errors import RESPONSES
from recframe.server.messages import HealthAnswer, LiveNumbers, PoliciesAnswer, PolicyDescription

router = APIRouter(responses=RESPONSES)


@router.get("/policy")
def describe_policies(service: ServiceOf) -> PoliciesAnswer:
    """The policies that are served, and what they read."""
    return PoliciesAnswer(
        policies=[
            PolicyDescription(
                name=one.name,
                version=one.version,
                agent=one.policy.name.removeprefix("agent="),
                share=service.policies.shares[one.name],
                items=len(one.ids),
                signals=list(one.signals),
                reads_users=one.reads["user"],
                reads_profiles=one.reads["profile"],
                reads_context=one.reads["context"],
                columns=one.attributes.columns,
                exploration=asdict(service.config.exploration),
            )
            for one in service.policies
        ]
    )


# not async: the store is asked
@router.get("/health")
def health(service: ServiceOf) -> HealthAnswer:
    """Whether the server answers, and whether the store does."""
    try:
        service.store.check()
        there = True
    except StoreError:
        there = False
    versions = {one.name: one.version for one in service.policies}
    return HealthAnswer(status="ok" if there else "degraded", store=there, policies=versions, sessions=len(service.sessions))


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})
async def prometheus_metrics(service: ServiceOf) -> Response:
    """Counters and times, in Prometheus's format."""
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/metrics.json")
async def live_numbers(service: ServiceOf) -> LiveNumbers:
    """The same in few numbers, for the page."""
    metrics = service.metrics
    return LiveNumbers(
        requests=metrics.requests,
        recommendations=sum(metrics.recommendations.values()),
        feedback=metrics.feedback,
        p50_ms=metrics.milliseconds(0.5),
        p99_ms=metrics.milliseconds(0.99),
        clicks_per_recommendation={name: metrics.clicks_per_recommendation(name) for name in service.policies.names},
        sessions=len(service.sessions),
        waiting=service.waiting,
    )
