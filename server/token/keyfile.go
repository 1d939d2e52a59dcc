package token

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	// MaxFileBytes bounds a file with keys, and a key set that is fetched.
	MaxFileBytes = 1 << 20
	// MaxKeys bounds the keys of one file or key set.
	MaxKeys = 256
)

// readFile reads the keys in a file: PEM blocks, a JSON Web Key set, or else its bytes are a
// secret. With jwks it has to be a key set.
func readFile(path string, jwks bool) ([]key, error) {
	if err := canBeReadAgain(path); err != nil {
		return nil, err
	}
	data, err := readBounded(path)
	switch {
	case err != nil:
		return nil, err
	case jwks || isObject(data):
		return parseJWKS(data, true)
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return parsePEM(data)
	}
	k, err := secretKey(data)
	return []key{k}, err
}

// canBeReadAgain says what keeps a file from being read from time to time: a pipe that nobody
// writes to is waited for, and a start or an end that waits for the reading with it.
func canBeReadAgain(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return errors.Unwrap(err) // the path is the caller's to say
	case !info.Mode().IsRegular() && !info.IsDir(): // that it cannot be read either, reading says
		return errors.New("wants a file that can be read again, got a pipe or a device")
	}
	return nil
}

// secretKey is the key whose secret a file's bytes are.
func secretKey(data []byte) (key, error) {
	if err := noSecret(data); err != nil {
		return key{}, err
	}
	return newKey("", secret(data))
}

// secret is a file's bytes without one end of line behind them, which editors add.
func secret(data []byte) []byte {
	data = bytes.TrimSuffix(data, []byte("\n"))
	return bytes.TrimSuffix(data, []byte("\r"))
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, errors.Unwrap(err) // the path is the caller's to say
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, errors.New("is a directory")
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxFileBytes {
		return nil, fmt.Errorf("wants %d bytes at most", MaxFileBytes)
	}
	return data, nil
}

// warnings are what makes a file's keys less of a secret than they should be.
func warnings(path string, keys []key) []string {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o004 == 0 {
		return nil
	}
	for _, k := range keys {
		if k.algorithm == hs256 {
			return []string{fmt.Sprintf("everybody on this machine can read the secret in it (mode %04o): chmod 600",
				info.Mode().Perm())}
		}
	}
	return nil
}

// parsePEM takes every key in data, public ones, those of certificates and the public parts
// of private ones.
func parsePEM(data []byte) (keys []key, err error) {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		k, err := parseBlock(block)
		if err != nil {
			return nil, err
		}
		if k == nil {
			continue
		}
		one, err := newKey("", k)
		if err != nil {
			return nil, err
		}
		if len(keys) == MaxKeys {
			return nil, fmt.Errorf("wants %d keys at most", MaxKeys)
		}
		keys = append(keys, one)
	}
	if len(keys) == 0 {
		return nil, errors.New("wants a PEM block with a key, got none that is whole")
	}
	return keys, nil
}

// parseBlock is the key in a block; nil: it belongs to the next one.
func parseBlock(b *pem.Block) (any, error) {
	var k any
	var err error
	switch b.Type {
	case "PUBLIC KEY":
		k, err = x509.ParsePKIXPublicKey(b.Bytes)
	case "RSA PUBLIC KEY":
		k, err = x509.ParsePKCS1PublicKey(b.Bytes)
	case "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(b.Bytes); err == nil {
			k = c.PublicKey
		}
	case "PRIVATE KEY":
		k, err = x509.ParsePKCS8PrivateKey(b.Bytes)
	case "RSA PRIVATE KEY":
		k, err = x509.ParsePKCS1PrivateKey(b.Bytes)
	case "EC PRIVATE KEY":
		k, err = x509.ParseECPrivateKey(b.Bytes)
	case "EC PARAMETERS": // openssl ecparam -genkey writes one in front of the key
		return nil, nil
	default:
		return nil, fmt.Errorf("wants a PEM block with a public key, a certificate or a private key, got %q", b.Type)
	}
	if err != nil {
		// x509's texts say what is wrong with the encoding, and nothing of a key.
		return nil, fmt.Errorf("PEM block %s: %w", b.Type, err)
	}
	return k, nil
}

// signer is the first private key or the secret in a file.
func signer(path string) (algorithm string, k any, err error) {
	data, err := readBounded(path)
	if err != nil {
		return "", nil, err
	}
	if !bytes.Contains(data, []byte("-----BEGIN ")) {
		k, err := secretKey(data)
		return k.algorithm, k.verify, err
	}
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return "", nil, errors.New("wants a private key or a secret to sign with, got public keys only")
		}
		private, err := parseBlock(block)
		if err != nil {
			return "", nil, err
		}
		if _, ok := private.(interface{ Public() crypto.PublicKey }); ok {
			k, err := newKey("", private)
			return k.algorithm, private, err
		}
	}
}

// fileSource is a file that is read again from time to time.
func fileSource(path string, jwks bool) *source {
	return &source{name: path, every: filesLookedAt, read: func(context.Context) ([]key, error) {
		return readFile(path, jwks)
	}}
}
