# SPDX-License-Identifier: ISC
"""Certificates for tests: an authority and what it has signed, made by openssl(1)."""
import os
import subprocess


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Authority:
    """Keeps its files in a directory; issue() gives the paths of a certificate and its key."""

    def __init__(self, directory, name="Test authority"):
        self.directory = str(directory)
        os.makedirs(self.directory, exist_ok=True)
        self.certificate, self.key = self.path("ca.pem"), self.path("ca.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.certificate)

    def path(self, name):
        return os.path.join(self.directory, name)

    def issue(self, common_name, *names, file=None):
        file = file or common_name.replace("*", "any")
        key, request, certificate = (self.path(f"{file}.{end}") for end in ("key", "csr", "pem"))
        extensions = self.path(f"{file}.ext")
        with open(extensions, "w") as out:
            out.write(f"subjectAltName={','.join(names)}\n" if names else "basicConstraints=CA:FALSE\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={common_name}",
                "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial",
                "-days", "20", "-extfile", extensions, "-out", certificate)
        return certificate, key
