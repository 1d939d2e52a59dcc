package api

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// admit says why a request is not let in, or nil.
func (a *API) admit(r *http.Request, requireToken bool) *problem {
	if requireToken {
		if a.tokens.allow(r) {
			return nil
		}
		a.counters.AuthFailures.Add(1)
		challenge := `Bearer realm="groupcast"`
		if r.Header.Get("Authorization") != "" {
			challenge += `, error="invalid_token"`
		}
		return problemf(http.StatusUnauthorized, codeUnauthorized, "wants a token: Authorization: Bearer TOKEN").setHeader("WWW-Authenticate", challenge)
	}
	if p := a.checkSite(r); p != nil {
		a.counters.CrossSite.Add(1)
		return p
	}
	return nil
}

// checkSite keeps out other sites' pages in the browser of somebody who can
// reach this address. Such a page can send requests here with the browser's
// hands; doc.go says how each way is closed.
func (a *API) checkSite(r *http.Request) *problem {
	if addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); !ok || addr.Network() != "unix" {
		if !a.knownHost(r.Host) {
			return problemf(http.StatusForbidden, codeWrongHost,
				"without a token, Host must be localhost, an IP address or a name that the server was told: a page could have made up another")
		}
	}
	if a.crossing.Check(r) != nil {
		return problemf(http.StatusForbidden, codeCrossSite, "this comes from another site's page, which needs a token")
	}
	return nil
}

// knownHost accepts what DNS has no say in: an address, localhost, and none (no
// browser sends that). And names that the operator gave.
func (a *API) knownHost(host string) bool {
	name := hostName(host)
	_, notIP := netip.ParseAddr(name)
	return name == "" || name == "localhost" || notIP == nil || a.hosts[name]
}

// hostName is a Host header without port, brackets and the dot at its end.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// CheckBind refuses to be reachable from other machines without a token. addr is
// what is to be listened on, host:port or unix:/path (whom a unix socket lets in
// is up to its file's mode). Ask it again with the address that was bound, if addr
// has a name in it.
func CheckBind(addr string, haveToken bool) error {
	if haveToken || strings.HasPrefix(addr, "unix:") {
		return nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("wants HOST:PORT or unix:/PATH, got %q", addr)
	}
	if ip := net.ParseIP(host); strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%s can be reached from other machines, and the API has no token: "+
		"give it one, or listen on 127.0.0.1, [::1] or a unix socket", addr)
}
