"""Runflow's routes, all of them."""

from fastapi import APIRouter

from backdrop_cli.sandbox import (
    runflow_account,
    runflow_assets,
    runflow_batches,
    runflow_create,
    runflow_read,
    runflow_webhooks,
)

router = APIRouter()
for _part in (runflow_create, runflow_read, runflow_batches, runflow_assets, runflow_account, runflow_webhooks):
    router.include_router(_part.router)
