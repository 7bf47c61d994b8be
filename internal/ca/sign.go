package ca

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/url"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
)

// maxRequest bounds a request for a certificate.
const maxRequest = 16 << 10

// Requested returns the key that a request for a certificate is made with, as KeyOf does. An error
// of kind andon.KindInvalid means that whoever made the request does not have that key.
func Requested(request []byte) (key string, err error) {
	csr, err := parseRequest(request)
	if err != nil {
		return "", err
	}
	return keyOf(csr.RawSubjectPublicKeyInfo), nil
}

// SignAgent returns the certificate of an agent of a plant for the key of its request. Nothing
// else that the request asks for is granted.
func (a *Authority) SignAgent(request []byte, plant string, agent andon.AgentName) ([]byte, error) {
	csr, err := parseRequest(request)
	if err != nil {
		return nil, err
	}
	now, by := a.now(), a.signer()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "andon agent " + string(agent)},
		URIs:      []*url.URL{agentURI(plant, agent)},
		NotBefore: now.Add(-early), NotAfter: now.Add(AgentLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}, by.cert, csr.PublicKey, by.key)
	if err != nil {
		return nil, fmt.Errorf("signing the certificate of agent %s: %w", agent, err)
	}
	return encodeCertificate(der), nil
}

func parseRequest(request []byte) (*x509.CertificateRequest, error) {
	invalid := andon.Errorf(andon.KindInvalid, "this is not a request for a certificate")
	if len(request) > maxRequest {
		return nil, invalid
	}
	block, _ := pem.Decode(request)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, invalid
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, invalid.Because(err)
	}
	if _, ok := csr.PublicKey.(*ecdsa.PublicKey); !ok {
		return nil, andon.Errorf(andon.KindInvalid, "the key of an agent must be an ECDSA key")
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, invalid.Because(err)
	}
	return csr, nil
}

func agentURI(plant string, agent andon.AgentName) *url.URL {
	return &url.URL{Scheme: "andon", Host: plant, Path: "/agent/" + string(agent)}
}

// AgentOf returns the plant and the agent that a verified certificate names.
func AgentOf(cert *x509.Certificate) (plant string, agent andon.AgentName, ok bool) {
	if len(cert.URIs) != 1 || cert.URIs[0].Scheme != "andon" {
		return "", "", false
	}
	name, found := strings.CutPrefix(cert.URIs[0].Path, "/agent/")
	return cert.URIs[0].Host, andon.AgentName(name), found && andon.ValidName(name)
}

// KeyOf names the public key of a certificate: two of the same key have the same name.
func KeyOf(cert *x509.Certificate) string { return keyOf(cert.RawSubjectPublicKeyInfo) }

func keyOf(spki []byte) string {
	sum := sha256.Sum256(spki)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
