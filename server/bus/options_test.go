package bus

import (
	"errors"
	"strings"
	"testing"
	"time"

	"groupcast/loop"
)

// valid are options that Validate has nothing against.
func valid() Options {
	o := DefaultOptions()
	o.Servers = []string{"nats://127.0.0.1:4222"}
	return o
}

// Every option that is wrong is named, with what it wants; those of the other tests are right.
func TestValidate(t *testing.T) {
	t.Parallel()
	if err := valid().Validate(); err != nil {
		t.Fatal(err)
	}
	for field, set := range map[string]func(*Options){
		"Servers":        func(o *Options) { o.Servers = nil },
		"Prefix":         func(o *Options) { o.Prefix = "x" },
		"Node":           func(o *Options) { o.Node = "a.b" },
		"Authentication": func(o *Options) { o.NKeyFile, o.TokenFile = "/n", "/t" },
		"User":           func(o *Options) { o.User = "u" },
		"Password":       func(o *Options) { o.PasswordFile = "/p" },
		"Token":          func(o *Options) { o.Token, o.TokenFile = "t", "/t" },
		"CertFile":       func(o *Options) { o.CertFile = "/c" },
		"KeyFile":        func(o *Options) { o.KeyFile = "/k" },
		"Down":           func(o *Options) { o.Down = -1 },
		"BufferBytes":    func(o *Options) { o.BufferBytes = -1 },
		"Inbound":        func(o *Options) { o.Inbound = 0 },
		"SinkMessages":   func(o *Options) { o.SinkMessages = 0 },
		"SinkBytes":      func(o *Options) { o.SinkBytes = MaxSinkBytes + 1 },
		"Subjects":       func(o *Options) { o.Subjects = 0 },
		"Linger":         func(o *Options) { o.Linger = -1 },
		"JoinWait":       func(o *Options) { o.JoinWait = 0 },
		"Lease":          func(o *Options) { o.Lease = 2 * time.Second },
	} {
		o := valid()
		set(&o)
		e, ok := errors.AsType[*loop.OptionError](o.Validate())
		if !ok || e.Field != field || !strings.HasPrefix(e.Reason, "wants ") && field != "Prefix" {
			t.Errorf("%s: got %v", field, o.Validate())
		}
	}
}

// A node's name is a token of a subject, and a host's name becomes one whatever it is.
func TestNodeName(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"web-1":                              "web-1",
		"Web_2":                              "Web_2",
		"web-1.example.org":                  "web-1-example-org",
		"büro":                               "b-ro",
		"":                                   "node-e3b0c442",
		"all":                                "all-5ef5ef03",
		strings.Repeat("x", 32):              strings.Repeat("x", 32),
		strings.Repeat("x", 33):              strings.Repeat("x", 23) + "-",
		"groupcast-production-7d9f8b6c5d-a":  "groupcast-production-7d-",
		"groupcast-production-7d9f8b6c5d-bb": "groupcast-production-7d-",
	} {
		got := NodeName(host)
		if CheckNode(got) != nil || got != want && !(strings.HasSuffix(want, "-") && strings.HasPrefix(got, want)) {
			t.Errorf("%q: got %q, want %q", host, got, want)
		}
	}
	const long = "groupcast-production-7d9f8b6c5d-"
	if NodeName(long+"x2x8p") == NodeName(long+"k4wbn") {
		t.Error("two hosts have one name")
	}
}

// The three words, and nothing else, are read; each is written as it was read.
func TestDown(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Down{"buffer": DownBuffer, "local": DownLocal, "refuse": DownRefuse} {
		if d, ok := ParseDown(text); !ok || d != want || d.String() != text || !d.Known() {
			t.Errorf("%s: got %v, %v", text, d, ok)
		}
	}
	if d, ok := ParseDown("drop"); ok {
		t.Errorf("got %v", d)
	}
	if Down(3).Known() || Down(-1).Known() {
		t.Error("there are three")
	}
}

// Nothing of what stands in front of the host is shown, and nothing at all of what cannot be read.
func TestShownServers(t *testing.T) {
	t.Parallel()
	o := Options{Servers: []string{
		"nats://a", "tls://u:s3cret@b:1", "nats://s3cret@[::1]", "nats://u:s3cret@c:x", "s3cret", "nats://u:s3%zzcret@d",
	}}
	want := "nats://a:4222 tls://b:1 nats://[::1]:4222 (hidden) (hidden) (hidden)"
	if got := strings.Join(o.ShownServers(), " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := o.Validate(); err == nil || strings.Contains(err.Error(), "cret") {
		t.Errorf("got %v", err)
	}
}
