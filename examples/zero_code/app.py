"""An application that knows nothing of telemetry. See README.md for the command."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/hello/{name}")
def hello(name: str) -> dict[str, str]:
    """Greets."""
    return {"hello": name}


@app.get("/broken")
def broken() -> None:
    """Fails every time."""
    raise RuntimeError("broken on purpose")
