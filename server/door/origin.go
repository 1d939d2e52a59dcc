package door

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Origins are the web pages whose scripts may connect. A browser says with the Origin
// header which site a script comes from, and no script can change that: it is what keeps
// another site's page from using a visitor's cookies or network. It is no protection
// against programs, which write what they like.
//
// The zero value allows everything.
type Origins struct {
	rules []origin
	none  bool // clients without the header
	set   bool
}

// origin is a rule, or what a header says.
type origin struct {
	scheme, host string // host in lower case, of a wildcard what follows the "*."
	port         uint16
	wildcard     bool
}

// ParseOrigins reads rules: "https://app.example.org", "https://*.example.org:8443" (any
// number of labels in place of the star, at least one), "none" for clients that send no
// Origin header, which browsers never are; "*" is everything. No rule is everything, too.
// The error says which rule is wrong.
func ParseOrigins(rules []string) (Origins, error) {
	o := Origins{set: len(rules) > 0}
	for _, rule := range rules {
		switch rule {
		case "*":
			if len(rules) > 1 {
				return Origins{}, fmt.Errorf("wants %q alone, got %q", "*", rules)
			}
			return Origins{}, nil
		case "none":
			o.none = true
			continue
		}
		text, wildcard := rule, false
		if scheme, host, ok := strings.Cut(rule, "://*."); ok {
			text, wildcard = scheme+"://"+host, true
		}
		parsed, ok := parseOrigin(text)
		if !ok || wildcard && (!strings.Contains(parsed.host, ".") || isAddress(parsed.host)) {
			return Origins{}, fmt.Errorf(
				`wants "https://HOST", "https://HOST:PORT", "https://*.DOMAIN", "none" or "*", got %q`, rule)
		}
		parsed.wildcard = wildcard
		o.rules = append(o.rules, parsed)
	}
	return o, nil
}

// Allow reports whether a request with these Origin headers may pass. More than one header
// is what no browser sends: it passes only where everything does.
func (o Origins) Allow(headers []string) bool {
	switch {
	case !o.set:
		return true
	case len(headers) == 0:
		return o.none
	case len(headers) > 1:
		return false
	}
	got, ok := parseOrigin(headers[0])
	return ok && slices.ContainsFunc(o.rules, func(rule origin) bool { return rule.allows(got) })
}

// All reports whether everything is allowed, so that no header has to be looked at.
func (o Origins) All() bool { return !o.set }

func (o origin) allows(got origin) bool {
	if o.scheme != got.scheme || o.port != got.port {
		return false
	}
	if o.wildcard {
		sub, ok := strings.CutSuffix(got.host, "."+o.host)
		return ok && sub != ""
	}
	return o.host == got.host
}

// parseOrigin reads an origin as browsers write it (RFC 6454, section 6.2): scheme, host,
// and a port unless it is the scheme's own; no path, not even "/", and no user. ok is false
// for everything else, also for "null", which sandboxed and local pages send.
func parseOrigin(s string) (o origin, ok bool) {
	// ASCII alone: there are other letters that lower case makes a "k" of.
	if strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		return origin{}, false
	}
	scheme, host, found := strings.Cut(s, "://")
	scheme = strings.ToLower(scheme)
	port := map[string]uint16{"http": 80, "https": 443}[scheme]
	if !found || port == 0 || strings.ContainsAny(host, "/?#@\\%") {
		return origin{}, false
	}
	u, err := url.Parse(scheme + "://" + host)
	if err != nil || u.Host != host {
		return origin{}, false
	}
	name := strings.ToLower(u.Hostname())
	if given := u.Port(); given != "" {
		n, err := strconv.ParseUint(given, 10, 16)
		if err != nil || n == 0 || given[0] == '0' {
			return origin{}, false
		}
		port = uint16(n)
	} else if strings.HasSuffix(host, ":") {
		return origin{}, false
	}
	if !isAddress(name) && !isName(name) {
		return origin{}, false
	}
	return origin{scheme: scheme, host: name, port: port}, true
}

// isAddress reports whether host is an IP address without a zone.
func isAddress(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.Zone() == ""
}

// isName reports whether host is a name of letters, digits, "-" and "_" in labels: as
// browsers send it, names of other alphabets are in punycode. A dot behind it is another
// site to a browser, and to us.
func isName(host string) bool {
	if host == "" || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}
