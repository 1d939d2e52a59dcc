package bus

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nkeys"

	"groupcast/server/door"
)

// maxCredentialsBytes bounds a file with credentials: one with a JWT of a thousand permissions has
// 64 KiB or so.
const maxCredentialsBytes = 1 << 20

// FileError is a file that an option names and that is not what it should be. Nothing of what is
// in the file is in the error.
type FileError struct {
	Flag  string // by which the operator has named it
	Path  string
	Wants string
	TLS   bool  // it is for TLS, and not for credentials
	Err   error // why; nil: the file can be read and is something else
}

func (e *FileError) Error() string {
	text := e.Flag + ": wants " + e.Wants
	if e.Err != nil {
		return text + ": " + e.Err.Error() // the path is in it
	}
	return text + ", got another in " + e.Path
}

func (e *FileError) Unwrap() error { return e.Err }

// CheckFiles reads all files that o names, and returns a *FileError for each that cannot be used.
func CheckFiles(o Options) error {
	var errs []error
	if o.CredentialsFile != "" {
		_, key, err := readCredentials(o.CredentialsFile)
		if err == nil {
			key.Wipe()
		}
		errs = append(errs, err)
	}
	if o.NKeyFile != "" {
		errs = append(errs, withSeed(o.NKeyFile, func(nkeys.KeyPair) error { return nil }))
	}
	if o.PasswordFile != "" {
		_, err := readPassword(o.PasswordFile)
		errs = append(errs, err)
	}
	if o.TokenFile != "" {
		_, err := readToken(o.TokenFile)
		errs = append(errs, err)
	}
	if o.CAFile != "" {
		_, err := readAuthorities(o.CAFile)
		errs = append(errs, err)
	}
	if o.CertFile != "" {
		_, err := readCertificate(o.CertFile, o.KeyFile)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// readSmall reads a file that has maxCredentialsBytes at most: the path of a log, say, is not to
// be taken into memory whole.
func readSmall(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxCredentialsBytes+1))
	if err == nil && len(content) > maxCredentialsBytes {
		err = fmt.Errorf("read %s: it has more than %d bytes", path, maxCredentialsBytes)
	}
	return content, err
}

func readPassword(path string) (string, error) {
	return readLine(path, FileError{Flag: "--nats-password-file", Path: path, Wants: "one line, the password"})
}

func readToken(path string) (string, error) {
	return readLine(path, FileError{Flag: "--nats-token-file", Path: path, Wants: "one line, the token"})
}

func readLine(path string, wrong FileError) (string, error) {
	content, err := readSmall(path)
	if err != nil {
		wrong.Err = err
		return "", &wrong
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if text == "" || strings.ContainsAny(text, "\r\n") {
		return "", &wrong
	}
	return text, nil
}

// credentials is a file with a NATS user's JWT and seed.
type credentials struct {
	jwt     string
	expires time.Time // zero: never
}

// late is an error where the JWT has expired: the server refuses it and does not say why.
func (c credentials) late(path string) error {
	if c.expires.IsZero() || time.Now().Before(c.expires) {
		return nil
	}
	return fmt.Errorf("the JWT in %s expired at %s", path, c.expires.UTC().Format(time.RFC3339))
}

// readCredentials reads such a file, and hands out the key of the seed: the caller wipes it.
func readCredentials(path string) (c credentials, key nkeys.KeyPair, err error) {
	wrong := &FileError{
		Flag: "--nats-creds", Path: path, Wants: "the JWT of a NATS user and its seed, as nsc writes them",
	}
	content, err := readSmall(path)
	if err != nil {
		wrong.Err = err
		return c, nil, wrong
	}
	defer clear(content)
	c.jwt, err = nkeys.ParseDecoratedJWT(content)
	if err != nil {
		return c, nil, wrong
	}
	if c.expires, err = expiry(c.jwt); err != nil {
		return c, nil, wrong
	}
	key, err = nkeys.ParseDecoratedUserNKey(content)
	if err != nil {
		return c, nil, wrong // not err: whatever the library says of a seed is not for a log
	}
	return c, key, nil
}

// expiry is until when a JWT is good; it is an error that it is none. Its signature is the
// server's to check.
func expiry(jwt string) (time.Time, error) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return time.Time{}, errors.New("wants three parts")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}, err
	}
	var claims struct {
		Expires int64  `json:"exp"`
		Subject string `json:"sub"`
	}
	if err := json.Unmarshal(text, &claims); err != nil {
		return time.Time{}, err
	}
	if !nkeys.IsValidPublicUserKey(claims.Subject) {
		return time.Time{}, errors.New("wants a user's")
	}
	if claims.Expires == 0 {
		return time.Time{}, nil
	}
	return time.Unix(claims.Expires, 0), nil
}

// withSeed hands the key of a file with a user's seed to use, and wipes it then.
func withSeed(path string, use func(nkeys.KeyPair) error) error {
	wrong := &FileError{Flag: "--nats-nkey", Path: path, Wants: "the seed of a NATS user, SU and 56 letters and digits"}
	content, err := readSmall(path)
	if err != nil {
		wrong.Err = err
		return wrong
	}
	defer clear(content)
	key, err := nkeys.ParseDecoratedUserNKey(content)
	if err != nil {
		return wrong
	}
	defer key.Wipe()
	return use(key)
}

func readAuthorities(path string) (*x509.CertPool, error) {
	pool, err := door.ReadAuthorities(path)
	if err != nil {
		return nil, &FileError{
			Flag: "--nats-ca", Path: path, Wants: "PEM certificates of authorities", TLS: true, Err: err,
		}
	}
	return pool, nil
}

func readCertificate(certFile, keyFile string) (tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return cert, &FileError{
			Flag: "--nats-cert and --nats-key", Path: certFile, Wants: "a PEM certificate and its key", TLS: true,
			Err: fmt.Errorf("%s, %s: %w", certFile, keyFile, err),
		}
	}
	return cert, nil
}
