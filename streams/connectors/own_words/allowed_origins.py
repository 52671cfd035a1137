"""Pages that may call us from a browser: the option `allowed_origins`, and what browsers want to hear about it.

Source: WHATWG Fetch, "CORS protocol". An origin says which page a browser was on; whoever is no browser writes what it
likes there. So it keeps honest browsers to the pages they belong to, and proves nobody.
"""

from streams.connectors.connector_contract import Instance, ProviderAnswer, WebhookRequest

ORIGINS_OPTION = {"allowed_origins": "pages that may send: https://www.ours.example, https://shop.ours.example"}

REMEMBERED_SECONDS = 600
"""How long a browser need not ask again; a removed origin is gone after ten minutes."""


def allowed_origins(instance: Instance) -> frozenset[str]:
    """The configured origins, without a slash at their end."""
    said = instance.options.get("allowed_origins", "").replace(",", " ").split()
    return frozenset(origin.rstrip("/").lower() for origin in said)


def is_allowed(instance: Instance, request: WebhookRequest) -> bool:
    """Whether the request comes from a page that may send."""
    origin = request.headers.get("origin")
    return origin is not None and origin.lower() in allowed_origins(instance)


def shared_with(instance: Instance, request: WebhookRequest) -> dict[str, str]:
    """The headers that let the page read an answer; none for other pages."""
    if not is_allowed(instance, request):
        return {}
    return {"Access-Control-Allow-Origin": request.headers.get("origin") or "", "Vary": "Origin"}


def preflight(instance: Instance, request: WebhookRequest) -> ProviderAnswer | None:
    """The answer to a browser that asks before it sends; null when it does not, or may not."""
    if request.method != "OPTIONS" or not is_allowed(instance, request):
        return None
    may = {
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": "authorization, content-type, x-careline-token",
        "Access-Control-Max-Age": str(REMEMBERED_SECONDS),
    }
    return ProviderAnswer(204, headers=shared_with(instance, request) | may)
