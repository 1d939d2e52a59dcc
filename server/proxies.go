package server

import (
	"log/slog"
	"net/netip"
	"slices"
)

// warnOfProxies tells the operator where every client is believed to be a proxy.
func warnOfProxies(o Options, log *slog.Logger) {
	for _, one := range []struct {
		setting  string
		networks []netip.Prefix
	}{{"--proxy-protocol", o.ProxyProtocol}, {"--trusted-proxy", o.TrustedProxies}} {
		all := slices.IndexFunc(one.networks, func(p netip.Prefix) bool { return p.Bits() == 0 })
		if all < 0 {
			continue
		}
		log.Warn(one.setting+" has every address in it: any client may claim the address of another, and limits of one "+
			"address hold for none; name the proxies alone", "network", one.networks[all].String())
	}
}
