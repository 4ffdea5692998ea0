# SPDX-License-Identifier: ISC
"""An S3 server that checks each signature and keeps objects and uploads in parts in memory, as S3's API describes them."""
import hashlib
import hmac
import http.server
import re
import ssl
import threading
import urllib.parse
import xml.etree.ElementTree as ElementTree

PART_BYTES_MIN = 5 << 20
XMLNS = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def signed(secret, text):
    return hmac.new(secret, text.encode(), hashlib.sha256).digest()


def signature_of(method, target, headers, secret):
    """The scope, and the signature that a request should have, as AWS Signature Version 4 is specified."""
    path, _, query = target.partition("?")
    scope, names = re.search(r"Credential=[^/]+/(\S+?), ?SignedHeaders=(\S+?), ?Signature=", headers["Authorization"]).groups()
    parameters = sorted(urllib.parse.parse_qsl(query, keep_blank_values=True))
    canonical = "\n".join([method, path, urllib.parse.urlencode(parameters, quote_via=urllib.parse.quote, safe="-_.~"),
                           *(f"{name}:{headers[name].strip()}" for name in names.split(";")), "", names,
                           headers["x-amz-content-sha256"]])
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = signed(key, part)
    text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    return scope, signed(key, text).hex()


class Refused(Exception):
    def __init__(self, status, code):
        super().__init__(code)
        self.status, self.code = status, code


class S3Server:
    """`fault`, of the step ("put", "create", "part 2", "complete", "abort"), may raise Refused or return True: no answer."""

    def __init__(self, secret, certificate=None, fault=lambda step: False):
        self.secret = secret
        self.fault = fault
        self.objects = {}
        self.uploads = {}
        self.steps = []  # that were done
        self.made = 0
        self.certificate = certificate
        self.port = 0
        self.start()

    def start(self):
        """Again at the same port, after stop()."""
        s3 = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                try:
                    answered = s3.take(self.command, self.path, self.headers, body)
                except Refused as refused:
                    answered = refused.status, {}, f"<Error><Code>{refused.code}</Code></Error>"
                if not answered:
                    self.close_connection = True
                    return
                status, headers, text = answered
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            do_PUT = do_POST = do_DELETE = answer

            def log_message(self, *arguments):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                pass  # a client that went away

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def url(self, path):
        return f"http{'s' if self.certificate else ''}://127.0.0.1:{self.port}{path}"

    def check(self, method, target, headers, body):
        _, signature = signature_of(method, target, headers, self.secret)
        if not headers["Authorization"].endswith("Signature=" + signature):
            raise Refused(403, "SignatureDoesNotMatch")
        sha256 = headers["x-amz-content-sha256"]
        if sha256 not in (hashlib.sha256(body).hexdigest(), "UNSIGNED-PAYLOAD"):
            raise Refused(400, "XAmzContentSHA256Mismatch")

    def take(self, method, target, headers, body):
        self.check(method, target, headers, body)
        path, _, query = target.partition("?")
        query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        upload = query.get("uploadId")
        step = {"POST": "complete" if upload else "create", "PUT": f"part {query.get('partNumber')}" if upload else "put",
                "DELETE": "abort"}[method]
        if self.fault(step):
            return None
        if upload and upload not in self.uploads:
            raise Refused(404, "NoSuchUpload")
        answered = getattr(self, step.split()[0])(path, upload, query, body)
        self.steps.append(step)
        return answered

    def put(self, path, _, query, body):
        assert not query
        self.objects[path] = body
        return 200, {"ETag": '"of-the-whole"'}, ""

    def create(self, path, _, query, body):
        assert query == {"uploads": ""} and not body
        self.made += 1
        upload = f"an+upload/{self.made}=="  # in a query, such characters are to be encoded
        self.uploads[upload] = {}
        return 200, {}, ('<?xml version="1.0" encoding="UTF-8"?>\n<InitiateMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/'
                         f'2006-03-01/"><Key>{path}</Key><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>')

    def part(self, _, upload, query, body):
        self.uploads[upload][int(query["partNumber"])] = body
        return 200, {"ETag": f'"{hashlib.md5(body).hexdigest()}"'}, ""

    def complete(self, path, upload, _, body):
        parts = self.uploads[upload]
        told = [(int(part.find(XMLNS + "PartNumber").text), part.find(XMLNS + "ETag").text) for part in ElementTree.fromstring(body)]
        if told != [(number, f'"{hashlib.md5(parts[number]).hexdigest()}"') for number in sorted(parts)]:
            raise Refused(400, "InvalidPart")
        if any(len(parts[number]) < PART_BYTES_MIN for number in sorted(parts)[:-1]):
            raise Refused(400, "EntityTooSmall")
        self.objects[path] = b"".join(parts[number] for number in sorted(parts))
        del self.uploads[upload]
        return 200, {}, '\n\n<?xml version="1.0"?><CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>'

    def abort(self, _, upload, __, body):
        assert not body
        del self.uploads[upload]
        return 204, {}, ""
