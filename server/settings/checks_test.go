package settings

import (
	"strings"
	"testing"
	"time"
)

func TestDefaultsAreValid(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Error(err)
	}
}

// Each wrong value is refused with its flag in front, and what is wanted.
func TestValidateNamesTheFlag(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*Options)
		want string
	}{
		{"no address", func(o *Options) { o.Listen = nil }, "--listen: wants at least one address"},
		{
			"bad address", func(o *Options) { o.Listen = []string{"nowhere"} },
			`--listen: wants HOST:PORT, :PORT or unix:/PATH, got "nowhere"`,
		},
		{
			"bad port", func(o *Options) { o.Listen = []string{":65536"} },
			`--listen: wants a port from 0 to 65535, got ":65536"`,
		},
		{"no path", func(o *Options) { o.Listen = []string{"unix:"} }, `--listen: wants a path behind unix:, got "unix:"`},
		{
			"long path", func(o *Options) { o.Listen = []string{"unix:/" + strings.Repeat("x", 107)} },
			"--listen: wants a socket path of at most 107 bytes, got 108",
		},
		{"twice", func(o *Options) { o.Listen = []string{":1", ":1"} }, `--listen: wants each address once, got ":1" twice`},
		{"mode", func(o *Options) { o.SocketMode = 0o1777 }, "--socket-mode: wants 0000 to 0777, got 1777"},
		{"drain below", func(o *Options) { o.Drain = -1 }, "--drain: wants 0s to 1h"},
		{"drain above", func(o *Options) { o.Drain = time.Hour + 1 }, "--drain: wants 0s to 1h"},
		{"level", func(o *Options) { o.LogLevel = "info+3" }, `--log-level: wants debug, info, warn or error, got "info+3"`},
		{"format", func(o *Options) { o.LogFormat = "xml" }, `--log-format: wants text or json, got "xml"`},
		{
			"message beyond ring", func(o *Options) { o.MaxMessageBytes, o.MaxBacklogBytes = 32<<20, 64<<20 },
			"--ring-bytes: wants at least",
		},
		{"message beyond backlog", func(o *Options) { o.MaxBacklogBytes = 64 << 10 }, "--max-backlog: wants at least"},
		{
			"close before ping", func(o *Options) { o.CloseAfter = o.PingAfter },
			"--close-after: wants more than --ping-after (55s), got 55s",
		},
		{
			"api address", func(o *Options) { o.API = []string{"here"} },
			`--api: wants HOST:PORT, :PORT or unix:/PATH, got "here"`,
		},
		{
			"api twice", func(o *Options) { o.API = []string{"127.0.0.1:1", "127.0.0.1:1"} },
			`--api: wants each address once, got "127.0.0.1:1" twice`,
		},
		{
			"api none and some", func(o *Options) { o.API = []string{"none", "127.0.0.1:1"} },
			`--api: wants HOST:PORT, :PORT or unix:/PATH, got "none"`,
		},
		{
			"api for all", func(o *Options) { o.API = []string{":1235"} },
			"--api: wants a token (--api-token-file) where other machines can reach it",
		},
		{
			"channel address", func(o *Options) { o.Channel = []string{"2206"} },
			`--channel: wants HOST:PORT, :PORT or unix:/PATH, got "2206"`,
		},
		{
			"channel without a host", func(o *Options) { o.ChannelJoin = ":2206" },
			`--channel-join: wants HOST:PORT or unix:/PATH, got ":2206"`,
		},
		{
			"channel at no socket", func(o *Options) { o.ChannelJoin = "unix:" },
			`--channel-join: wants HOST:PORT or unix:/PATH, got "unix:"`,
		},
		{"control as an address", func(o *Options) { o.Control = "unix:/x" }, `--control: wants a path, got "unix:/x"`},
		{
			"control too long", func(o *Options) { o.Control = strings.Repeat("x", 108) },
			"--control: wants a path of at most 107 bytes, got 108",
		},
		{
			"TLS without a certificate", func(o *Options) { o.API = []string{"tls:127.0.0.1:1"} },
			`--api: wants --tls-cert or --acme for addresses with tls: in front, got "tls:127.0.0.1:1"`,
		},
		{
			"profiles over TLS", func(o *Options) { o.Pprof, o.TLSCert = "tls:127.0.0.1:1", []string{"/c"} },
			`--pprof: wants an address without tls:, got "tls:127.0.0.1:1"`,
		},
		{
			"client certificates without TLS", func(o *Options) { o.APIClientCA = "/ca" },
			`--api-client-ca: wants an --api address with tls: in front beside it, got "/ca"`,
		},
		{
			"one port for two", func(o *Options) { o.Listen, o.Channel = []string{":2206"}, []string{"127.0.0.1:2206"} },
			`--listen: wants addresses that do not overlap, got ":2206" and "127.0.0.1:2206"`,
		},
		{
			"one port with and without TLS", func(o *Options) {
				o.Listen, o.TLSCert = []string{"0.0.0.0:443", "tls:0.0.0.0:443"}, []string{"/c"}
			},
			`--listen: wants addresses that do not overlap, got "0.0.0.0:443" and "tls:0.0.0.0:443"`,
		},
		{"ring slots", func(o *Options) { o.RingSlots = 1000 }, "--ring-slots: wants a power of two, got 1000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := Defaults()
			c.set(&o)
			err := o.Validate()
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// What may be: nothing at all, and with a token everything.
func TestValidateOfBackends(t *testing.T) {
	for name, set := range map[string]func(*Options){
		"none":       func(o *Options) { o.API = []string{"none"} },
		"loopback":   func(o *Options) { o.API = []string{"127.0.0.1:0", "[::1]:0", "localhost:1", "unix:/x"} },
		"token":      func(o *Options) { o.API, o.APIToken = []string{":1235"}, "0123456789abcdef" },
		"token file": func(o *Options) { o.API, o.APITokenFile = []string{"0.0.0.0:1235"}, "/x" },
		"channel": func(o *Options) {
			o.Channel, o.ChannelJoin = []string{"localhost:2206", "unix:/x"},
				"other:2206"
		},
		"open channel":    func(o *Options) { o.Channel, o.ChannelOpen = []string{":2206", "php.internal:2207"}, true },
		"any port twice":  func(o *Options) { o.Listen = []string{":0", "127.0.0.1:0"} },
		"IPv4 and IPv6":   func(o *Options) { o.Listen = []string{"0.0.0.0:1234", "[::1]:1234", "unix:/x", "unix:/y"} },
		"join a socket":   func(o *Options) { o.ChannelJoin = "unix:/x" },
		"control":         func(o *Options) { o.Control = "relative" },
		"control, none":   func(o *Options) { o.Control = "none" },
		"control, folder": func(o *Options) { o.Control = "/run/x/" },
	} {
		o := Defaults()
		set(&o)
		if err := o.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Sizes in errors are written as sizes are typed.
func TestValidateWritesSizes(t *testing.T) {
	o := Defaults()
	o.MaxMessageBytes, o.MaxBacklogBytes = 32<<20, 64<<20
	err := o.Validate()
	text := err.Error()
	if !strings.Contains(text, "--max-message (32MiB)") || !strings.Contains(text, "got 16MiB") {
		t.Errorf("got %v", err)
	}
}

func TestSeveralMistakesAreAllReported(t *testing.T) {
	o := Defaults()
	o.Loops, o.LogLevel, o.Drain = 300, "loud", -1
	err := o.Validate()
	for _, flag := range []string{"--loops: wants 0 to 256, got 300", "--log-level:", "--drain:"} {
		if err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%v lacks %s", err, flag)
		}
	}
}

// Times are written as people do, and are read again as the same.
func TestSpanText(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]time.Duration{
		"0s": 0, "500ms": 500 * time.Millisecond, "10s": 10 * time.Second, "1m": time.Minute, "1m50s": 110 * time.Second,
		"10m": 10 * time.Minute, "1h": time.Hour, "20h": 20 * time.Hour, "1h10m": 70 * time.Minute,
		"1h0m10s": time.Hour + 10*time.Second, "8760h": 365 * 24 * time.Hour,
	} {
		got := spanText(d)
		if again, err := time.ParseDuration(got); got != want || again != d || err != nil {
			t.Errorf("%v: %q, which is %v, %v; want %q", d, got, again, err, want)
		}
	}
}
