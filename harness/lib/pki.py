"""The certificates of the tests: good ones, and one for each way of being bad."""

import datetime
import functools
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HERE = ("localhost", "127.0.0.1", "::1")


class Identity:
    """A key with its certificate, as objects and as PEM."""

    def __init__(self, key, certificate, issuer=None):
        self.key = key
        self.certificate = certificate
        self.issuer = issuer or self
        self.certificate_pem = certificate.public_bytes(serialization.Encoding.PEM)
        self.key_pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption())

    @property
    def pem(self):
        return self.key_pem + self.certificate_pem

    @property
    def chain_pem(self):
        """The certificate and the intermediates below the root."""
        pem, one = self.certificate_pem, self.issuer
        while one.issuer is not one:
            pem += one.certificate_pem
            one = one.issuer
        return pem

    def files(self, place, name):
        """Writes NAME.crt (the chain) and NAME.key into `place` and returns both paths."""
        paths = os.path.join(place, name + ".crt"), os.path.join(place, name + ".key")
        for path, data in zip(paths, (self.chain_pem, self.key_pem)):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as out:
                out.write(data)
        return paths


def _alternative_name(name):
    if "://" in name:
        return x509.UniformResourceIdentifier(name)
    if "@" in name:
        return x509.RFC822Name(name)
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _new_key(kind):
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def issue(common_name, issuer=None, names=(), kind="ec", ca=False, days=(-1, 365), client=True,
          server=True):
    """A new Identity, signed by `issuer` or by itself, valid from days[0] to days[1] from now."""
    key = _new_key(kind)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.datetime.utcnow().replace(microsecond=0)
    signer_key = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer_key.public_key()),
            critical=False)
        .add_extension(
            x509.KeyUsage(digital_signature=True, key_cert_sign=ca, crl_sign=ca,
                          key_encipherment=kind == "rsa" and not ca, content_commitment=False,
                          data_encipherment=False, key_agreement=False, encipher_only=False,
                          decipher_only=False),
            critical=True))
    if not ca:
        usages = []
        if server:
            usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
        if client:
            usages.append(ExtendedKeyUsageOID.CLIENT_AUTH)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_alternative_name(name) for name in names]),
            critical=False)
    return Identity(key, builder.sign(signer_key, hashes.SHA256()), issuer)


def revoke(issuer, *identities, days=(-1, 30)):
    """A CRL of `issuer`'s with the certificates of `identities`, as PEM."""
    now = datetime.datetime.utcnow().replace(microsecond=0)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(now + datetime.timedelta(days=days[0]))
        .next_update(now + datetime.timedelta(days=days[1])))
    for identity in identities:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(identity.certificate.serial_number).revocation_date(now).build())
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def ocsp_response(identity, status=ocsp.OCSPCertStatus.GOOD, days=(-1, 7), signer=None):
    """An OCSP response about `identity` by its issuer, or by `signer`, as DER."""
    now = datetime.datetime.utcnow().replace(microsecond=0)
    signer = signer or identity.issuer
    revoked = now if status == ocsp.OCSPCertStatus.REVOKED else None
    return (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=identity.certificate, issuer=identity.issuer.certificate,
            algorithm=hashes.SHA256(), cert_status=status,
            this_update=now + datetime.timedelta(days=days[0]),
            next_update=now + datetime.timedelta(days=days[1]),
            revocation_time=revoked, revocation_reason=None)
        .responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
        .sign(signer.key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER))


class Pki:
    """Each identity is made when a test first asks for it."""

    @functools.cached_property
    def ca(self):
        return issue("Harness CA", ca=True, days=(-60, 365))

    @functools.cached_property
    def intermediate(self):
        return issue("Harness Intermediate", self.ca, ca=True)

    @functools.cached_property
    def server(self):
        return issue("server.harness", self.ca, ("server.harness", *HERE))

    @functools.cached_property
    def rsa_server(self):
        return issue("rsa.harness", self.ca, ("rsa.harness", *HERE), kind="rsa")

    @functools.cached_property
    def chained_server(self):
        return issue("chained.harness", self.intermediate, ("chained.harness", *HERE))

    @functools.cached_property
    def client(self):
        return issue("client.harness", self.ca, ("client.harness",))

    @functools.cached_property
    def batch(self):
        return issue("batch", self.ca, ("batch.apps.internal", "spiffe://prod/batch"))

    @functools.cached_property
    def expired_server(self):
        return issue("expired.harness", self.ca, ("expired.harness", *HERE), days=(-30, -1))

    @functools.cached_property
    def future_server(self):
        return issue("future.harness", self.ca, ("future.harness", *HERE), days=(5, 365))

    @functools.cached_property
    def misnamed_server(self):
        return issue("misnamed.harness", self.ca, ("somewhere-else.example",))

    @functools.cached_property
    def expired_client(self):
        return issue("expired-client.harness", self.ca, days=(-30, -1))

    @functools.cached_property
    def stranger_ca(self):
        return issue("Stranger CA", ca=True)

    @functools.cached_property
    def stranger_server(self):
        return issue("stranger.harness", self.stranger_ca, ("stranger.harness", *HERE))

    @functools.cached_property
    def stranger_client(self):
        return issue("stranger-client.harness", self.stranger_ca)
