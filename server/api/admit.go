package api

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"

	"groupcast/server/door"
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
		return problemf(http.StatusUnauthorized, codeUnauthorized,
			"wants a token: Authorization: Bearer TOKEN").setHeader("WWW-Authenticate", challenge)
	}
	if p := a.sites.check(r); p != nil {
		a.counters.CrossSite.Add(1)
		return p
	}
	return nil
}

// SiteGuard keeps out other sites' pages, which can send requests with the hands of a
// browser that reaches this address; doc.go says how each way is closed.
type SiteGuard struct {
	hosts    atomic.Pointer[map[string]bool] // what it points to is never changed
	crossing *http.CrossOriginProtection
}

// NewSiteGuard lets requests in whose Host is localhost, an IP address or one of
// allowedHosts, names without port.
func NewSiteGuard(allowedHosts []string) *SiteGuard {
	g := &SiteGuard{crossing: http.NewCrossOriginProtection()}
	g.allow(allowedHosts)
	return g
}

// allow puts other names in force.
func (g *SiteGuard) allow(names []string) {
	hosts := make(map[string]bool)
	for _, name := range names {
		hosts[hostName(name)] = true
	}
	g.hosts.Store(&hosts)
}

// Protect leaves to next what does not come from another site's page. It is for
// handlers whose GETs cost something, too: these are refused as what changes something
// is, where the API lets them through.
func (g *SiteGuard) Protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := *r
		asked.Method = http.MethodPost // as such it is judged
		if p := g.check(&asked); p != nil {
			p.write(w, "")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (g *SiteGuard) check(r *http.Request) *problem {
	if addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); !ok || addr.Network() != "unix" {
		if !g.knownHost(r.Host) {
			return problemf(http.StatusForbidden, codeWrongHost,
				"without a token, Host must be localhost, an IP address or a name that the server was told (--api-host): "+
					"a page could have made up another")
		}
	}
	if g.crossing.Check(r) != nil {
		return problemf(http.StatusForbidden, codeCrossSite, "this comes from another site's page, which needs a token")
	}
	return nil
}

// SetAllowedHosts puts other names in force that requests without a token may have
// in their Host header, for requests that come in from now on.
func (a *API) SetAllowedHosts(names []string) { a.sites.allow(names) }

// knownHost accepts what DNS has no say in: an address, localhost, and none (no
// browser sends that). And names that the operator gave.
func (g *SiteGuard) knownHost(host string) bool {
	name := hostName(host)
	_, notIP := netip.ParseAddr(name)
	return name == "" || name == "localhost" || notIP == nil || (*g.hosts.Load())[name]
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
	a, err := door.Parse(addr)
	if err != nil {
		return fmt.Errorf("wants HOST:PORT or unix:/PATH, got %q", addr)
	}
	if a.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%s can be reached from other machines, and the API has no token: "+
		"give it one, or listen on 127.0.0.1, [::1] or a unix socket", addr)
}
