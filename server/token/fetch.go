package token

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// fetchTimeout is for one answer of a key server, from connecting to its last byte.
	fetchTimeout = 10 * time.Second
	// fetchedEvery is how often a key set is fetched.
	fetchedEvery = 5 * time.Minute
)

// isURL reports whether a source is an address, if only a wrong one: it may have a password in
// it, and errors about files name them.
func isURL(s string) bool { return strings.Contains(s, "://") }

// checkURL says what keeps text from being a key server's address.
func checkURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Fragment != "" {
		return nil, errors.New("wants an address like https://HOST/PATH") // url's error repeats it, password and all
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, errors.New("wants https:// where the key server is not on this machine")
	}
	if u.User != nil {
		return nil, errors.New("wants an address without a user and a password: a key set is public")
	}
	return u, nil
}

// shown is an address without what may be secret in it.
func shown(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// hidden stands for what is secret in an address that is shown.
const hidden = "(secret)"

// ShownSource is a source of keys as the operator may be shown it: a file as it is, and an
// address with a sign where it has a query, which is mostly a key.
func ShownSource(text string) string {
	if !isURL(text) {
		return text
	}
	u, err := checkURL(text)
	if err != nil {
		return hidden
	}
	address := u.Scheme + "://" + u.Host + u.EscapedPath()
	if u.RawQuery != "" {
		address += "?" + hidden
	}
	return address
}

// urlSource is a key server's key set.
func urlSource(u *url.URL) *source {
	client := &http.Client{
		Timeout: fetchTimeout,
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			MaxResponseHeaderBytes: 64 << 10,
			DisableKeepAlives:      true, // nothing is kept open for five minutes
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	read := func(ctx context.Context) ([]key, error) { return fetch(ctx, client, u) }
	return &source{name: shown(u), address: u.String(), every: fetchedEvery, read: read}
}

func fetch(ctx context.Context, client *http.Client, u *url.URL) ([]key, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	answer, err := client.Do(request)
	if err != nil {
		// Its text has the whole address.
		if inner := (*url.Error)(nil); errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("wants status 200, got %d", answer.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, MaxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxFileBytes {
		return nil, fmt.Errorf("wants a key set of %d bytes at most", MaxFileBytes)
	}
	return parseJWKS(data, false)
}
