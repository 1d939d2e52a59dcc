package settings

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"groupcast/server/api"
	"groupcast/server/door"
)

// None as an address, or a path, is none at all, where there would be one by default.
const None = "none"

// address is door.Parse with the error in this package's form.
func address(text string) (door.Address, *wrong) {
	a, err := door.Parse(text)
	if e, ok := errors.AsType[*door.AddressError](err); ok {
		return a, &wrong{e.Wants, e.Got}
	}
	return a, nil
}

// addressToListen wants each address once, unless the kernel is to choose the port.
func addressToListen(text string, before []string) *wrong {
	a, w := address(text)
	if w == nil && slices.Contains(before, text) && !a.AnyPort() {
		w = &wrong{"each address once", strconv.Quote(text) + " twice"}
	}
	return w
}

// apiAddresses are where the API listens; "none" alone is none.
func apiAddresses() value {
	v := texts(func(o *Options) *[]string { return &o.API }, "ADDR", addressToListen)
	check := v.check
	v.check = func(o *Options) *wrong {
		if slices.Equal(o.API, []string{None}) {
			return nil
		}
		return check(o)
	}
	return v
}

// addressToJoin is where another server listens.
func addressToJoin(text string) *wrong {
	a, w := address(text)
	if text == "" || w == nil && a.HasHost() {
		return nil
	}
	return &wrong{"HOST:PORT or unix:/PATH", strconv.Quote(text)}
}

// controlPath is a path, and no address.
func controlPath(text string) *wrong {
	switch {
	case len(text) > door.MaxUnixPath:
		return &wrong{fmt.Sprintf("a path of at most %d bytes", door.MaxUnixPath), strconv.Itoa(len(text))}
	case strings.HasPrefix(text, "@"), strings.HasPrefix(text, "unix:"):
		return &wrong{"a path", strconv.Quote(text)}
	}
	return nil
}

// loopback is a host and port on this machine's loopback: a profile tells much
// about a process, and taking one slows it down.
func loopback(text string) *wrong {
	if a, w := address(text); text == "" || w == nil && !a.IsUnix() && a.IsLoopback() {
		return nil
	}
	return &wrong{"HOST:PORT on loopback", strconv.Quote(text)}
}

// hostName is one as it stands in a Host header, without a port.
func hostName(text string, _ []string) *wrong {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"
	if text == "" || len(text) > 253 || strings.Trim(text, letters) != "" {
		return &wrong{"a host's name, without port", strconv.Quote(text)}
	}
	return nil
}

// token is one that can stand in a header.
func token(text string) *wrong {
	if text == "" || api.CheckToken(text) == nil {
		return nil
	}
	return &wrong{
		fmt.Sprintf("1 to %d characters of printable ASCII, without spaces", api.MaxTokenBytes),
		strconv.Quote(text),
	}
}

// NeedsToken reports whether other machines can reach an API at addr.
func NeedsToken(addr string) bool { return api.CheckBind(addr, false) != nil }

// WantsToken is what --api wants where they can and there is no token.
const WantsToken = "a token (--api-token-file) where other machines can reach it, or 127.0.0.1, [::1] or unix:/PATH"

// networks are those that may connect; one address is a network, too.
func networks(at func(*Options) *[]netip.Prefix) value {
	return value{
		hint: "CIDR", list: true,
		read: func(o *Options, given []string) *wrong {
			var all []netip.Prefix
			for _, text := range given {
				one, err := network(text)
				if err != nil {
					return &wrong{"a network like 10.0.0.0/8, or an address", strconv.Quote(text)}
				}
				all = append(all, one)
			}
			*at(o) = all
			return nil
		},
		check: func(*Options) *wrong { return nil },
		write: func(o *Options) (texts []string) {
			for _, one := range *at(o) {
				texts = append(texts, one.String())
			}
			return texts
		},
		copy: func(to, from *Options) { *at(to) = slices.Clone(*at(from)) },
	}
}

func network(text string) (netip.Prefix, error) {
	all, err := door.ParseNetworks([]string{text})
	if err != nil {
		return netip.Prefix{}, err
	}
	return all[0], nil
}

// ChannelReach is what is wrong with a Channel server at a, which is to be listened on,
// or was bound: a name may be any address. Its protocol has no password. nil: nothing.
func ChannelReach(o Options, a door.Address) error {
	if o.ChannelOpen || a.IsLoopback() {
		return nil
	}
	return (&wrong{wantsMeant, a.String()}).of(Find("channel"), "")
}

const wantsMeant = "--channel-open where other machines can reach it (the Channel protocol has no password), " +
	"or 127.0.0.1, [::1] or unix:/PATH"

// HasTLS reports whether there is a certificate, or will be.
func (o *Options) HasTLS() bool { return len(o.TLSCert) > 0 || len(o.ACME) > 0 }

// Proxies are all that say who their clients are. Their own addresses have no limits: a
// proxy's connections are many clients'.
func (o *Options) Proxies() []netip.Prefix { return slices.Concat(o.ProxyProtocol, o.TrustedProxies) }

func fileName(text string, _ []string) *wrong {
	if text != "" {
		return nil
	}
	return &wrong{"a file", `""`}
}

func originRule(text string, _ []string) *wrong {
	if _, err := door.ParseOrigins([]string{text}); err != nil {
		return &wrong{"https://HOST, https://*.HOST or none", strconv.Quote(text)}
	}
	return nil
}
