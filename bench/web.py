"""The leaderboard served: ours alone, ours behind nginx, the same page as nginx's file, and out of Next.js.

wrk on one core with 32 connections, the server on the other, taking turns; all send the page gzipped. Then how long it
takes from the commit of a change until the new board is served. Needs wrk, nginx and node on PATH.
"""

import gzip
import json
import re
import shutil
import statistics
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from bench._engines import engines_of_its_own
from bench._web_peers import next_js, nginx
from bench._web_site import fetched, free_ports, served

ROUNDS, SECONDS, CHANGES = 3, 4, 20
SERVER_CORE, CLIENT_CORE = 0, 1


def requests_per_s(url: str) -> float:
    command = [
        "taskset",
        "-c",
        str(CLIENT_CORE),
        "wrk",
        "-t1",
        "-c32",
        f"-d{SECONDS}s",
        "--timeout",
        "30s",
        "-H",
        "Accept-Encoding: gzip",
    ]
    said = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    if failed := re.search(r"Non-2xx.*|Socket errors.*", said):
        raise SystemExit(f"{url}: {failed.group()}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", said).group(1))


def commit_to_board_ms(url: str) -> float:
    """From the commit of an agent's new name until the board's ETag is another, in milliseconds."""
    from agents.models import Agent

    agent = Agent.objects.order_by("id").first()
    before = fetched(url)[1]["etag"]
    agent.name = f"Renamed {time.monotonic_ns()}"
    agent.save()
    committed = time.perf_counter()
    while fetched(url)[1]["etag"] == before:
        time.sleep(0.002)
    return (time.perf_counter() - committed) * 1000


def main(folder: Path) -> None:
    names = ("site_port", "static_port", "open_port", "proxy_port")
    *of_nginx, next_port = free_ports(len(names) + 1)
    ports = dict(zip(names, of_nginx, strict=True))
    with ExitStack() as stack:
        site = stack.enter_context(served(ports["site_port"], SERVER_CORE))
        gzipped, _ = fetched(site)
        plain = gzip.decompress(gzipped)
        body = re.search(r"<body>(.*)</body>", plain.decode(), re.S).group(1)
        stack.enter_context(nginx(folder / "nginx", gzipped, plain, ports=ports, core=SERVER_CORE))
        stack.enter_context(next_js(body, port=next_port, core=SERVER_CORE))
        urls = {
            "ours": site,
            "ours behind nginx": f"http://127.0.0.1:{ports['proxy_port']}/",
            "nginx static": f"http://127.0.0.1:{ports['static_port']}/",
            "nginx static, file kept open": f"http://127.0.0.1:{ports['open_port']}/",
            "next start": f"http://127.0.0.1:{next_port}/",
        }
        sizes = {name: len(fetched(url)[0]) for name, url in urls.items()} | {"ours, br": len(fetched(site, "br")[0])}
        took: dict[str, list[float]] = {name: [] for name in urls}
        for _ in range(ROUNDS):
            for name, url in urls.items():
                took[name].append(requests_per_s(url))
        delays = [commit_to_board_ms(site) for _ in range(CHANGES)]
    tell({name: statistics.median(each) for name, each in took.items()}, sizes, delays)


def tell(rates: dict[str, float], sizes: dict[str, int], delays: list[float]) -> None:
    for name, rate in rates.items():
        print(f"{name:<28} {rate:>10,.0f} requests/s   {sizes[name]:>7,} bytes")
    peers = {name: round(rates[name]) for name in rates if not name.startswith("ours")}
    ours = {
        "requests_per_s": round(rates["ours"]),
        "behind_nginx_requests_per_s": round(rates["ours behind nginx"]),
        "commit_to_board_ms_median": round(statistics.median(delays), 1),
        "commit_to_board_ms_max": round(max(delays), 1),
        "bytes": sizes,
    }
    ratio = {name: round(rates["ours"] / rate, 2) for name, rate in peers.items()}
    ratio |= {f"{name}, behind nginx": round(rates["ours behind nginx"] / rate, 2) for name, rate in peers.items()}
    print(json.dumps({"name": "web", "ours": ours, "peers": peers, "ratio": ratio}))


if __name__ == "__main__":
    if missing := [name for name in ("wrk", "nginx", "node", "npm", "taskset") if not shutil.which(name)]:
        raise SystemExit(f"This benchmark needs {', '.join(missing)} on PATH.")
    with engines_of_its_own() as scratch:
        main(scratch)
