"""The meaning of a request: paths, hosts, methods, versions, parameters, and requests of other
protocols."""

from __future__ import annotations

import random

from tests.service.abuse.row import HEALTH, HOST, MARK, Row, get, request

_PATH = "a path is compared as it stands: /, /now, and for hosts /health"
_DECODED = "a host decodes it, as WSGI does; a balancer's rule does not"

PATHS = [
    *(
        Row(target[:40], get(target), "404", "404", _PATH)
        for target in (
            "/now/", "/now//", "/NOW", "/Now", "/./now", "/now/.", "/now/../now", "/now/../health",
            "/now/..;/health", "/now;/../health", "/now;x", "/now;/health", "/;/now", "/now/%2e%2e/health", "/%2e%2e/health",
            "/..%2fhealth", "/now%2f..%2fhealth", "/now%252f..%252fhealth", "/now/..%5chealth", "/now\\..\\health",
            "/now%00", "/now%00.html", "/now%20", "/now%09", "/now.json", "/now~", "/now:80", "/now,", "/now&tz=UTC", "/now*",
            "/health/", "/HEALTH", "/health%00", "/static/../service/app.py", "/../../../../etc/passwd",
            "/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/%c0%ae%c0%ae/%c0%af/etc/passwd", "/.git/config", "/.env", "/app/service/app.py",
            "/console", "/metrics", "/server-status", "/latest/meta-data/iam/security-credentials/", "/robots.txt", "/%", "/%zz",
            "/%ff%fe", "/%c3%bf", f"/{MARK}", f"/now/{MARK}",
            "/%3Cscript%3Ezq9%3C/script%3E", "/{{7*7}}zq9", "/%0d%0aSet-Cookie:%20zq9=1", "/now%0d%0aX:zq9",
            "/%0d%0aFORGED%20a%20line", "/%0aFORGED", "/%1b[31mzq9", "/" + "a/" * 1500, "/" + "%41" * 1000,
        )
    ),
    *(
        Row(target, get(target), "200", "404", "a host takes many slashes at the start for one; a balancer's rule does not")
        for target in ("//now", "///now", "/%2fnow", "//health")
    ),
    Row("/health itself", get("/health"), "200", "404", "the balancer answers what no rule of its own names"),
    Row("/health with a query", get("/health?/now"), "200", "404", "as above"),
    Row("/%68ealth", get("/%68ealth"), "200", "404", _DECODED),
    Row("/%6eow", get("/%6eow"), "200", "404", _DECODED),
    Row("/now?", get("/now?"), "200", "200", "an empty query"),
    Row("a path in the query", get("/now?/../health"), "200", "200", "a query is no path"),
    Row("a fragment", get("/now#/../health"), "200", "400|200", "never sent by clients; no part of the path"),
    Row("a fragment before a path", get("/#/now"), "200", "400|200", "as above"),
    Row("bytes that are no ASCII", get("/now\xff"), "400", "400", "a target is printable ASCII (RFC 9112, 3.2)"),
    Row("UTF-8 that is not escaped", get("/n\xc3\xb6w"), "400", "400", "as above"),
    Row("no slash", get("now"), "400", "400", "a target begins with a slash"),
    Row("no slash, with a colon", get("time.example:80"), "400", "400", "the form for CONNECT alone"),
    Row("a dot", get("./now"), "400", "400", "as above"),
    Row("a star", get("*"), "400", "400|404", "the form for OPTIONS alone"),
    Row("OPTIONS *", request("OPTIONS * HTTP/1.1"), "404|200", "404", "there is nothing to say of the server as a whole"),
    Row("a whole URL", get("http://time.example/now"), "200", "200", "the form for proxies, and to be taken"),
    Row("a whole URL of /health", get("http://time.example/health"), "200", "404", "the rule looks at the path"),
    Row("a whole URL of another host", get("http://zq9.example/now"), "200", "400|200", "we are no proxy: nothing is fetched"),
    Row("a whole URL of the metadata", get("http://169.254.169.254/latest/meta-data/"), "404", "400|404", "as above"),
    Row("a whole URL with a user", get("http://zq9@time.example/now"), "200", "400|200", "as above"),
    Row("a whole URL without a path", get("http://zq9.example"), "200", "200|400|404", "the path is / (RFC 9110, 4.2.3), and nothing is redirected"),
    Row("a URL of a file", get("file:///etc/passwd"), "404", "400|404", "as above"),
    Row("a URL of nothing", get("://now"), "404|400", "400|404", "as above"),
    Row("a URL with a bad port", get("http://[::1/now"), "400", "400|404", "as above"),
]  # fmt: skip

_HOST = "a host's name is of no use to us: nothing is made from it"

HOSTS = [
    Row("no Host", get("/now", host=""), "400", "400", "RFC 9112, 3.2"),
    Row("two Hosts", get("/now", "Host: zq9.example"), "400", "400", "RFC 9112, 3.2"),
    Row("two Hosts, the same", get("/now", HOST), "400", "400|200", "RFC 9112, 3.2"),
    Row("a Host with an underscore beside", get("/now", "HTTP_HOST: zq9", "HOST_: zq9"), "200", "200", "dropped"),
    *(
        Row(f"Host {host!r}"[:50], get("/now", host=f"Host:{host}"), "200", "200|400", _HOST)
        for host in (
            "", " ", " zq9.example", " time.example:80", " time.example:99999", " time.example:zq9", " user:zq9@time.example",
            " zq9.example, time.example", " 169.254.169.254", " localhost", " [::1]", " [::1", " a/../b", " a b", f" {MARK}",
            " \xff\xfe", " time.example\\@zq9", " xn--zq9", " 127.0.0.1:8080", " {{7*7}}", " ../../etc/passwd",
        )
    ),
    Row("a Host of 3 KB", get("/now", host="Host: " + "a" * 3000), "400", "400|200", "names end at 255"),
    Row("a Host with a NUL", get("/now", host="Host: a\x00b"), "400", "400", "RFC 9110, 5.5"),
    Row("a Host with a CR", get("/now", host="Host: a\rX: zq9"), "400", "400", "RFC 9110, 5.5"),
]  # fmt: skip

_METHOD = (
    "GET, HEAD and OPTIONS are all there is (405); names are tokens in capitals, 20 at most (400)"
)

METHODS = [
    *(
        Row(method, request(f"{method} /now HTTP/1.1"), "405", "405", _METHOD)
        for method in ("TRACE", "TRACK", "PUT", "DELETE", "PATCH", "PROPFIND", "BREW", "ZQ9")
    ),
    Row("HEAD", request("HEAD /now HTTP/1.1"), "200", "200", "a GET without its body"),
    Row("HEAD of /health", request("HEAD /health HTTP/1.1"), "200", "404", _PATH),
    Row("OPTIONS", request("OPTIONS /now HTTP/1.1"), "200", "200", "says what is allowed"),
    Row("TRACE of a secret", request("TRACE / HTTP/1.1", f"Cookie: {MARK}"), "405", "405", "it would come back"),
    Row("CONNECT", request("CONNECT 169.254.169.254:80 HTTP/1.1"), "404|405", "404|405|400", "we are no proxy"),
    Row("CONNECT, then a request", request("CONNECT time.example:80 HTTP/1.1") + HEALTH.encode(), "404|405", "404|405|400|404 404", "no tunnel"),
    Row("CONNECT of a path", request("CONNECT /now HTTP/1.1"), "405|400", "405|404|400", "as above"),
    *(
        Row(repr(method[:30]), request(f"{method} /now HTTP/1.1"), "400", "400", _METHOD)
        for method in ("get", "Get", "G", "X" * 200, "G\x00ET", "GET\xff", "<script>zq9", "GET:", "G(E)T", '"GET"', "GET,PUT")
    ),
]  # fmt: skip

WEBSOCKET = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 777")
_VERSION = "HTTP/1.0 and 1.1 are spoken; what asks for another in the form of 1.1 is refused, or answered in 1.1"

VERSIONS = [
    Row("HTTP/0.9", b"GET /now\r\n", "400", "400", "too old: it has no statuses"),
    Row("HTTP/0.9 of /health", b"GET /health\r\n\r\n", "400", "400", "as above"),
    Row("HTTP/1.0", request("GET /now HTTP/1.0", host=""), "200", "200", "some health checks speak it"),
    Row("HTTP/1.0 kept alive", request("GET /now HTTP/1.0", "Connection: keep-alive") + HEALTH.encode(), "200 200", "200 404", "each for itself"),
    Row("HTTP/1.2", request("GET /now HTTP/1.2"), "200", "200|400", _VERSION),
    *(
        Row(version, request(f"GET /now {version}"), "400", "400|200|505", _VERSION)
        for version in ("HTTP/2.0", "HTTP/3.0", "HTTP/0.8")
    ),
    *(
        Row(version[:30], request(f"GET /now {version}"), "400", "400", _VERSION)
        for version in (
            "HTTP/1", "HTTP/11", "HTTP/1.10", "HTTP/-1.1", "HTTP/1,1", "http/1.1", "HTTP /1.1", "HTTPS/1.1", "ICY/1.1",
            "HTTP/1.1zq9", "HTTP/\xb9.1", "/now", "X" * 3_000,
        )
    ),
    Row("HTTP/2 at once", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4" + b"\0" * 5, "400", "400|505", "without TLS, an ALB speaks HTTP/1 alone"),
    Row("HTTP/2 by upgrade", get("/now", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMA"), "200", "200", "an upgrade may be passed over"),
    Row("a WebSocket", get("/now", *WEBSOCKET, "Sec-WebSocket-Key: enE5enE5enE5enE5enE5eg=="), "400", "400", "none is spoken here"),
    Row("a WebSocket to /health", get("/health", *WEBSOCKET), "400", "404|400", "as above"),
    Row("Connection drops headers", get("/now", "Connection: close, Host, X-Forwarded-For, Content-Length"), "200", "200|400", "nothing of ours is hop-by-hop"),
]  # fmt: skip

_ZONE = "a zone is looked up among the names of the IANA database, and never becomes a path"
_FORMAT = "one of three words"

PARAMETERS = [
    *(
        Row(f"tz={zone}"[:50], get(f"/now?tz={zone}"), "400", "400", _ZONE)
        for zone in (
            "", ".", "..", "../../etc/passwd", "../../../../../../etc/passwd", "/etc/passwd", "/etc/localtime", "//zq9.example/x",
            "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "..%252f..%252fetc/passwd", "..%c0%af..%c0%afetc/passwd",
            "..%5c..%5cwindows%5cwin.ini", "C:%5cwindows%5cwin.ini", "file:///etc/passwd", "http://zq9.example/", "Europe",
            "Europe/", "Europe/../Europe/Berlin", "Europe/./Berlin", "Europe//Berlin", "Europe/Berlin%00", "%00", "%00../etc/passwd",
            "Europe/Berlin%0d%0aSet-Cookie:%20zq9=1", "%0d%0a%0d%0aHTTP/1.1%20200%20OK%0d%0a%0d%0azq9", "%E5%98%8A%E5%98%8Dzq9:1",
            "%ff%fe", "%f0%28%8c%28", "%ed%a0%80", "%F0%9F%95%90", "A" * 3000, "%41" * 1000, "%3Cscript%3Ezq9%3C/script%3E", MARK,
            "{{7*7}}zq9", "$%7Bjndi:ldap://zq9%7D", "%27%20OR%201=1--%20zq9", "$(zq9)", "%60zq9%60", "|zq9", "%25s%25n", "localtime",
            "posixrules", "tzdata.zi", "zone.tab", "__init__.py", "UTC;format=text", "UTC,UTC", "UTC&tz=UTC", "europe/berlin",
            "+01:00", "-1", "99999999999999999999", "null", "None", "[]", "EST5EDT,M3.2.0,M11.1.0",
        )
    ),
    *(
        Row(f"format={form}"[:50], get(f"/now?format={form}"), "400", "400", _FORMAT)
        for form in ("", "xml", "JSON", "json%00", "json%0d%0aX:zq9", "../../etc/passwd", MARK, "{{7*7}}", "json&format=text", "%ff")
    ),
    *(
        Row(f"?{query}"[:50], get(f"/now?{query}"), "200", "200", "what is no parameter of ours is ignored")
        for query in (
            "tz[]=zq9", f"callback={MARK}", f"{MARK}", "__proto__[x]=zq9", "=", "&&&", "%", "%zz=1", "%00=1", "debug=1", "TZ=zq9",
            "tz%00=zq9", "?tz=zq9", ";tz=zq9", "url=http://169.254.169.254/",
        )
    ),
    *(
        Row(f"Accept: {accept}"[:50], get("/now", f"Accept: {accept}"), "200", "200", "an Accept that says nothing gets JSON")
        for accept in (
            MARK, "text/html", "../../etc/passwd", "*", "*/*;q=" + "9" * 4000, "a/b;q=nan", "a/b;q=-1", ",;,;=,/", "text/\xff",
            'text/plain;x="' + "\\" * 4000,
        )
    ),
    Row("a query of raw bytes", get("/now?tz=\xff"), "400", "400", "a target is printable ASCII (RFC 9112, 3.2)"),
    Row("the page with a query", get(f"/?{MARK}&tz=../../x"), "200", "200", "it has no parameters"),
]  # fmt: skip

_OTHER = "another protocol: an error, or nothing, and never a word of it back"
_NOISE = random.Random(7)

PROTOCOLS = [
    Row("TLS", bytes.fromhex("16030100a5010000a10303") + bytes(range(160)), "400|closed|open", "400", _OTHER),
    Row("SSH", b"SSH-2.0-zq9\r\n", "400", "400", _OTHER),
    Row("SMTP", b"EHLO zq9.example\r\nMAIL FROM:<zq9@example>\r\n", "400", "400", _OTHER),
    Row("Redis", b"*1\r\n$4\r\nPING\r\n", "400", "400", _OTHER),
    Row("memcached", b"stats\r\n", "400", "400", _OTHER),
    Row("SIP", b"OPTIONS sip:zq9 SIP/2.0\r\nVia: SIP/2.0/TCP zq9\r\n\r\n", "400", "400", _OTHER),
    Row("RTSP", b"OPTIONS / RTSP/1.0\r\n\r\n", "400", "400", _OTHER),
    Row("SOCKS 5", b"\x05\x01\x00", "open", "400|open", _OTHER),
    Row("RDP", bytes.fromhex("030000130ee000000000000100080003000000"), "open", "400|open", _OTHER),
    Row("PROXY, version 1", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 80\r\n" + get("/now"), "400", "400", "we speak it with nobody"),
    Row("PROXY, version 2", bytes.fromhex("0d0a0d0a000d0a515549540a20000000") + get("/now"), "400", "400", "as above"),
    Row("NULs", bytes(5_000), "414|400", "400", _OTHER),
    Row("ones", b"\xff" * 5_000, "414|400", "400", _OTHER),
    *(Row(f"noise {number}", _NOISE.randbytes(6_000), "400|414", "400", _OTHER) for number in range(8)),
    Row("a colon", b":\r\n\r\n", "400", "400", _OTHER),
    Row("brackets", b"[" * 3_000 + b"\r\n\r\n", "400", "400", _OTHER),
    Row("a line of a log", b"127.0.0.1 - - [01/Jan/2026] FORGED\r\n\r\n", "400", "400", _OTHER),
]  # fmt: skip
