"""The peers of `bench/web.py`: the same page as nginx's file, behind nginx's cache, and out of Next.js."""

import json
import shutil
import subprocess
import textwrap
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

ROOT = Path(__file__).resolve().parent.parent
BOARDS = ROOT / "docs" / "nginx" / "boards.conf"
KEPT, STYLES = ROOT / ".bench" / "web", ROOT / "static" / "built" / "first.css"
NEXT = {"next": "16.4.6", "react": "19.3.1", "react-dom": "19.3.1"}

NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; etag on;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    types {{ text/html html; }} default_type text/html;
    proxy_cache_path {folder}/cache keys_zone=boards:1m;
    upstream site {{ server 127.0.0.1:{site_port}; keepalive 8; }}
    server {{ listen 127.0.0.1:{static_port}; root {folder}/static; gzip_static on; }}
    server {{ listen 127.0.0.1:{open_port}; root {folder}/static; gzip_static on; open_file_cache max=1000; }}
    server {{ listen 127.0.0.1:{proxy_port}; location / {{ proxy_pass http://site; include {boards}; }} }}
}}
"""


@contextmanager
def process(*argv: str, core: int, cwd: Path | None = None, environ: dict[str, str] | None = None) -> Iterator[None]:
    """A command on one core, ended with the block."""
    child = subprocess.Popen(["taskset", "-c", str(core), *argv], cwd=cwd, env=environ, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        child.terminate()
        child.wait(timeout=20)


@contextmanager
def nginx(folder: Path, gzipped: bytes, plain: bytes, *, ports: Mapping[str, int], core: int) -> Iterator[None]:
    """nginx with the page as a compressed file, opened each time or kept open, and before the site as we advise."""
    (folder / "static").mkdir(parents=True)
    (folder / "static" / "index.html").write_bytes(plain)
    (folder / "static" / "index.html.gz").write_bytes(gzipped)
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, boards=BOARDS, **ports))
    with process("nginx", "-c", str(config), core=core):
        wait_for(f"http://127.0.0.1:{ports['static_port']}/")
        yield


@contextmanager
def next_js(body: str, *, port: int, core: int) -> Iterator[None]:
    """`next start` with a page, generated at build time, whose body is the same HTML under the same style sheet."""
    _build_next(body)
    command = ("node", "node_modules/next/dist/bin/next", "start", "-p", str(port), "-H", "127.0.0.1")
    with process(*command, core=core, cwd=KEPT):
        wait_for(f"http://127.0.0.1:{port}/")
        yield


def _build_next(body: str) -> None:
    app = KEPT / "app"
    app.mkdir(parents=True, exist_ok=True)
    package = json.dumps({"name": "peer", "private": True, "dependencies": NEXT})
    if not (KEPT / "package.json").exists() or (KEPT / "package.json").read_text() != package:
        (KEPT / "package.json").write_text(package)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=KEPT, check=True)
    (app / "layout.js").write_text(
        'import "./board.css"\n'
        "export default ({ children }) => <html lang='en'><body suppressHydrationWarning>{children}</body></html>\n"
    )
    shutil.copy(STYLES, app / "board.css")
    (app / "body.js").write_text(f"export default {json.dumps(body)}\n")
    (app / "page.js").write_text(
        textwrap.dedent("""\
            import body from "./body"
            export default function Page() {
              return <div dangerouslySetInnerHTML={{ __html: body }} />
            }
            """)
    )
    done = subprocess.run(["npx", "next", "build"], cwd=KEPT, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"Next.js did not build:\n{done.stdout}\n{done.stderr}")


def wait_for(url: str, within_s: float = 60) -> None:
    """Return as soon as `url` answers."""
    give_up_at = monotonic() + within_s
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            if monotonic() > give_up_at:
                raise
            sleep(0.1)
        else:
            return
