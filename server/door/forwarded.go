package door

import (
	"net/netip"
	"slices"
	"strings"
)

// ForwardedHeader is the header of HTTP in which proxies say who their client is: one of two,
// X-Forwarded-For and Forwarded. A proxy writes the one and mostly passes the other on as the
// client has sent it: the operator has to say which one his proxies write, and the other one
// must not be looked at.
// Owner: the server; it never changes.
type ForwardedHeader struct {
	Name    string // in lower case
	Trusted Networks
	client  func(peer netip.Addr, values []string, trusted Networks) netip.Addr
}

// NewForwardedHeader is that of a name, in lower case; nil where no proxy is trusted.
func NewForwardedHeader(name string, trusted Networks) *ForwardedHeader {
	if len(trusted) == 0 {
		return nil
	}
	f := &ForwardedHeader{Name: name, Trusted: trusted, client: XForwardedFor}
	if name == "forwarded" {
		f.client = Forwarded
	}
	return f
}

// Believes reports whether peer, if it is a proxy, is believed to say who its client is. A
// unix socket's peer is; a nil f believes nobody.
func (f *ForwardedHeader) Believes(peer netip.Addr) bool {
	return f != nil && (!peer.IsValid() || f.Trusted.Contain(peer))
}

// Client is the client that a believed proxy tells of in a request with these values of the
// header; the proxy itself if it tells of none. Which port the client has, no proxy says.
func (f *ForwardedHeader) Client(proxy netip.AddrPort, values []string) netip.AddrPort {
	client := f.client(proxy.Addr(), values, f.Trusted)
	if client == proxy.Addr() {
		return proxy
	}
	return netip.AddrPortFrom(client, 0)
}

// Each proxy adds its client behind what is there. So only the addresses from the right are
// known to be true, for as long as they are those of trusted proxies, and the first one
// that is not is the client.

// XForwardedFor is the client's address by X-Forwarded-For; values are the header's, in the
// order of their lines. peer is who has connected: if it is not trusted, it is the client
// itself. An entry that is no address ends the search: the client is then the proxy that
// has written it.
func XForwardedFor(peer netip.Addr, values []string, trusted Networks) netip.Addr {
	return clientBehind(peer, values, trusted, lastComma, parseNode)
}

// Forwarded is as XForwardedFor for RFC 7239's header, Forwarded. An element without "for",
// with an obfuscated name or "unknown" is an entry that is no address.
func Forwarded(peer netip.Addr, values []string, trusted Networks) netip.Addr {
	return clientBehind(peer, values, trusted, lastCommaOutsideQuotes, parseForwardedElement)
}

func clientBehind(
	peer netip.Addr, values []string, trusted Networks,
	last func(string) int, parse func(string) (netip.Addr, bool),
) netip.Addr {
	client := peer.Unmap().WithZone("")
	for _, rest := range slices.Backward(values) {
		for {
			// A unix socket's peer is trusted: who it may be is the matter of the file's mode.
			if client.IsValid() && !trusted.Contain(client) {
				return client
			}
			comma := last(rest)
			entry, ok := parse(strings.Trim(rest[comma+1:], " \t"))
			if !ok {
				return client
			}
			client = entry
			if comma < 0 {
				break
			}
			rest = rest[:comma]
		}
	}
	return client
}

// lastComma is the place of the last comma; -1: there is none.
func lastComma(s string) int { return strings.LastIndexByte(s, ',') }

// lastCommaOutsideQuotes is as lastComma, but commas in quoted strings do not count. It reads
// from the right, as what the proxies have written is there: a quote that a client leaves
// open, on the left, must not swallow it.
func lastCommaOutsideQuotes(s string) int {
	quoted := false
	for i := len(s) - 1; i >= 0; i-- {
		switch {
		case s[i] == ',' && !quoted:
			return i
		case s[i] == '"' && !escaped(s[:i]):
			quoted = !quoted
		}
	}
	return -1
}

// escaped reports whether what follows s is behind a backslash that is not itself escaped.
func escaped(s string) bool {
	return (len(s)-len(strings.TrimRight(s, `\`)))%2 == 1
}

// parseForwardedElement is the address in an element like
//
//	for="[2001:db8::1]:4711";proto=https;by=203.0.113.43
func parseForwardedElement(element string) (client netip.Addr, ok bool) {
	for pair := range strings.SplitSeq(element, ";") {
		name, value, found := strings.Cut(strings.Trim(pair, " \t"), "=")
		if !found || !strings.EqualFold(name, "for") {
			continue
		}
		if ok {
			return netip.Addr{}, false // twice
		}
		if inner, quoted := strings.CutPrefix(value, `"`); quoted {
			if value, quoted = strings.CutSuffix(inner, `"`); !quoted {
				return netip.Addr{}, false
			}
		}
		if client, ok = parseNode(value); !ok {
			return netip.Addr{}, false
		}
	}
	return client, ok
}

// parseNode is the address in 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1] or
// [2001:db8::1]:80.
func parseNode(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		if inner, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(inner, "]") {
			if a, err = netip.ParseAddr(strings.TrimSuffix(inner, "]")); err == nil && a.Is4() {
				return netip.Addr{}, false
			}
		} else {
			var p netip.AddrPort
			p, err = netip.ParseAddrPort(s)
			a = p.Addr()
		}
	}
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, false
	}
	return a.Unmap(), true
}
