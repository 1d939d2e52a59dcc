package settings

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// relation is what two settings have to do with each other.
type relation struct {
	of    string   // the setting that is wrong where it does not hold
	with  []string // the others: it is not looked at while one of them is wrong
	check func(o *Options) *wrong
}

var relations = append([]relation{
	{"listen", nil, func(o *Options) *wrong {
		if len(o.Listen) > 0 {
			return nil
		}
		return &wrong{wants: "at least one address"}
	}},
	{"api", []string{"api-token", "api-token-file"}, func(o *Options) *wrong {
		i := slices.IndexFunc(o.API, NeedsToken)
		if i < 0 || o.API[i] == None || o.APIToken != "" || o.APITokenFile != "" {
			return nil
		}
		return &wrong{WantsToken, strconv.Quote(o.API[i])}
	}},
	{"tls-key", []string{"tls-cert"}, func(o *Options) *wrong {
		if n := len(o.TLSKey); n == 0 || n == len(o.TLSCert) {
			return nil
		}
		return &wrong{"one for each --tls-cert (" + strconv.Itoa(len(o.TLSCert)) + ")", strconv.Itoa(len(o.TLSKey))}
	}},
	{"pprof", nil, func(o *Options) *wrong {
		if a, _ := address(o.Pprof); a.IsTLS() {
			return &wrong{"an address without tls:", strconv.Quote(o.Pprof)}
		}
		return nil
	}},
	{"listen", certificates, func(o *Options) *wrong { return wantsCertificate(o, o.Listen) }},
	{"api", certificates, func(o *Options) *wrong { return wantsCertificate(o, o.API) }},
	{"channel", certificates, func(o *Options) *wrong { return wantsCertificate(o, o.Channel) }},
	{"api-client-ca", []string{"api"}, func(o *Options) *wrong {
		if o.APIClientCA == "" || slices.ContainsFunc(o.API, isTLS) {
			return nil
		}
		return &wrong{"an --api address with tls: in front beside it", strconv.Quote(o.APIClientCA)}
	}},
	{"listen", []string{"api", "channel", "pprof"}, eachPortOnce},
	{"channel", []string{"channel-open"}, func(o *Options) *wrong {
		for _, text := range o.Channel {
			if a, _ := address(text); !o.ChannelOpen && !a.IsLoopback() {
				return &wrong{wantsMeant, strconv.Quote(text)}
			}
		}
		return nil
	}},
	{"channel-max-send", []string{"channel-max-frame"}, func(o *Options) *wrong {
		return holds(o.ChannelServer.MaxSendBytes, "channel-max-frame", o.ChannelServer.MaxFrameBytes)
	}},
	{"close-after", []string{"ping-after"}, func(o *Options) *wrong {
		return more(o.CloseAfter, "ping-after", o.PingAfter)
	}},
	{"ring-bytes", frame, func(o *Options) *wrong { return holdsFrame(o, o.RingBytes) }},
	{"max-backlog", frame, func(o *Options) *wrong { return holdsFrame(o, o.MaxBacklogBytes) }},
	{"api-max-batch", []string{"max-message"}, func(o *Options) *wrong {
		if o.APILimits.MaxBatchBytes == 0 {
			return nil
		}
		return holds(o.APILimits.MaxBatchBytes, "max-message", o.MaxMessageBytes)
	}},
	{"api-write-timeout", []string{"api-publish-timeout"}, func(o *Options) *wrong {
		return more(o.APIServer.WriteTimeout, "api-publish-timeout", o.APILimits.PublishTimeout)
	}},
	{"api-write-timeout", []string{"api-query-timeout"}, func(o *Options) *wrong {
		return more(o.APIServer.WriteTimeout, "api-query-timeout", o.APILimits.QueryTimeout)
	}},
	{"channel-max-partial", []string{"channel-max-frame"}, func(o *Options) *wrong {
		return holds(o.ChannelServer.MaxPartialBytes, "channel-max-frame", o.ChannelServer.MaxFrameBytes)
	}},
	{"channel-join-retry-max", []string{"channel-join-retry-min"}, func(o *Options) *wrong {
		low, high := o.ChannelClient.RetryMin, o.ChannelClient.RetryMax
		if high >= low {
			return nil
		}
		return &wrong{atLeast("channel-join-retry-min", low.String()), high.String()}
	}},
}, natsRelations...)

// certificates are where TLS has them from.
var certificates = []string{"tls-cert", "acme"}

func isTLS(text string) bool {
	a, _ := address(text)
	return a.IsTLS()
}

// wantsCertificate wants one where an address has TLS.
func wantsCertificate(o *Options, texts []string) *wrong {
	if i := slices.IndexFunc(texts, isTLS); i >= 0 && !o.HasTLS() {
		return &wrong{"--tls-cert or --acme for addresses with tls: in front", strconv.Quote(texts[i])}
	}
	return nil
}

// eachPortOnce wants no two addresses of which the kernel can give only one.
func eachPortOnce(o *Options) *wrong {
	all := slices.Concat(o.Listen, o.API, o.Channel)
	if o.Pprof != "" {
		all = append(all, o.Pprof)
	}
	for i, text := range all {
		a, _ := address(text)
		for _, other := range all[:i] {
			if b, _ := address(other); a.Overlaps(b) {
				return &wrong{"addresses that do not overlap", strconv.Quote(other) + " and " + strconv.Quote(text)}
			}
		}
	}
	return nil
}

func more(got time.Duration, other string, than time.Duration) *wrong {
	if got > than {
		return nil
	}
	return &wrong{"more than " + Flag(other) + " (" + spanText(than) + ")", spanText(got)}
}

func holds(got int, other string, least int) *wrong {
	if got >= least {
		return nil
	}
	return &wrong{atLeast(other, ByteSize(least).String()), ByteSize(got).String()}
}

func atLeast(other, value string) string { return "at least " + Flag(other) + " (" + value + ")" }

// frame is what the largest frame is made from.
var frame = []string{"max-message", "max-group-name"}

// holdsFrame wants that what one message can become fits wherever it may have to
// wait alone: a frame that fits nowhere would block its ring for ever.
func holdsFrame(o *Options, got int) *wrong {
	least := o.MaxFrameBytes()
	if got >= least {
		return nil
	}
	wants := "at least " + ByteSize(least).String() + ", the largest frame that --max-message (" +
		ByteSize(o.MaxMessageBytes).String() + ") allows"
	return &wrong{wants, ByteSize(got).String()}
}

// Validate reports every value that is out of range or cannot live with another,
// each as a *ValueError, joined. It looks at nothing outside o: whether an address
// can be bound shows when it is.
func (o Options) Validate() error {
	r := reading{options: o}
	return errors.Join(r.check()...)
}

// check is Validate of what has been read: nothing is told a second time, and
// nothing that is wrong only because of something else.
func (r *reading) check() (errs []error) {
	bad := make(map[string]bool)
	for _, s := range all {
		if r.broken[s.Name] {
			bad[s.Name] = true
		} else if w := s.check(&r.options); w != nil {
			bad[s.Name] = true
			errs = append(errs, w.of(s, r.given[s.Name].Origin))
		}
	}
	wrong := func(name string) bool { return bad[name] || r.meant[name] }
	for _, one := range relations {
		if r.partly || wrong(one.of) || slices.ContainsFunc(one.with, wrong) {
			continue
		}
		if w := one.check(&r.options); w != nil {
			bad[one.of] = true
			errs = append(errs, w.of(Find(one.of), r.given[one.of].Origin))
		}
	}
	return errs
}

// nearest is the setting that was meant by a name: the same letters in another
// spelling, or all but one of them; "" if there is none.
func nearest(name string) string {
	letters := func(s string) string {
		return strings.ToLower(strings.NewReplacer("-", "", "_", "", ".", "", " ", "").Replace(s))
	}
	for _, s := range all {
		if oneEdit(letters(name), letters(s.Name)) {
			return s.Name
		}
	}
	return ""
}

// oneEdit reports whether a becomes b by at most one letter put in, left out or
// exchanged, or by two neighbours that change places.
func oneEdit(a, b string) bool {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	swapped := len(a) == 2 && len(b) == 2 && a[0] == b[1] && a[1] == b[0]
	return swapped || len(a) <= 1 && len(b) <= 1
}
