package settings

import (
	"strings"
	"testing"
	"time"

	"groupcast/server/bus"
)

// Settings of the cluster that contradict each other are refused, with what contradicts them.
func TestValidateOfNATS(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*Options)
		want string // "": it is valid
	}{
		{"alone", func(*Options) {}, ""},
		{"user", func(o *Options) { o.Bus.User, o.Bus.PasswordFile = "u", "/p" }, ""},
		{"token in the address", func(o *Options) { o.Bus.Servers = []string{"tls://t0ken@a.example:4443"} }, ""},
		{"IPv6", func(o *Options) { o.Bus.Servers = []string{"nats://[::1]:4222", "nats://[::1]:4223"} }, ""},
		{
			"no scheme", func(o *Options) { o.Bus.Servers = []string{"a:s3cret@b:4222"} },
			"--nats: wants nats://HOST:PORT or tls://HOST:PORT; in front of HOST may stand USER:PASSWORD@ or TOKEN@, " +
				"with % and two digits for what is neither letter nor digit, got another",
		},
		{"another scheme", func(o *Options) { o.Bus.Servers = []string{"ws://a:4222"} }, "--nats: wants nats://HOST:PORT or"},
		{"no host", func(o *Options) { o.Bus.Servers = []string{"nats://:4222"} }, "--nats: wants nats://HOST:PORT or"},
		{"port", func(o *Options) { o.Bus.Servers = []string{"nats://a:65536"} }, "--nats: wants nats://HOST:PORT or"},
		{"path", func(o *Options) { o.Bus.Servers = []string{"nats://a/x"} }, "--nats: wants nats://HOST:PORT or"},
		{
			"twice", func(o *Options) { o.Bus.Servers = []string{"nats://u:s3cret@a", "nats://u:s3cret@a:4222"} },
			`--nats: wants each server once, got "nats://a:4222" twice`,
		},
		{
			"too many", func(o *Options) {
				o.Bus.Servers = nil
				for i := range bus.MaxServers + 1 {
					o.Bus.Servers = append(o.Bus.Servers, "nats://a:"+group(i+1))
				}
			},
			"--nats: wants 64 servers at most, got more",
		},
		{
			"prefix", func(o *Options) { o.Bus.Prefix = "a b" },
			"--nats-prefix: wants a prefix of subjects (a prefix is words of",
		},
		{
			"node", func(o *Options) { o.Bus.Node = "all" },
			`--nats-node: wants 1 to 32 letters of A-Z a-z, digits, - and _, and not all, got "all"`,
		},
		{
			"down", func(o *Options) { o.Bus.Down = 3 },
			"--nats-down: wants buffer, local or refuse, got Down(3)",
		},
		{
			"two ways", func(o *Options) { o.Bus.CredentialsFile, o.Bus.Token = "/c", "s3cret" },
			"--nats: wants one way to say as whom the node connects, got --nats-creds and --nats-token",
		},
		{
			"two ways, one in an address", func(o *Options) {
				o.Bus.Servers, o.Bus.NKeyFile = []string{"nats://a", "nats://u:s3cret@b"}, "/n"
			},
			"--nats: wants one way to say as whom the node connects, got a user in the address and --nats-nkey",
		},
		{
			"user without password", func(o *Options) { o.Bus.User = "u" },
			`--nats-user: wants --nats-password-file or --nats-password beside it, got "u"`,
		},
		{
			"password without user", func(o *Options) { o.Bus.Password = "s3cret" },
			"--nats-user: wants a name beside --nats-password or --nats-password-file",
		},
		{
			"two passwords", func(o *Options) { o.Bus.User, o.Bus.Password, o.Bus.PasswordFile = "u", "s3cret", "/p" },
			`--nats-password-file: wants to stand alone, without --nats-password, got "/p"`,
		},
		{
			"two tokens", func(o *Options) { o.Bus.Token, o.Bus.TokenFile = "s3cret", "/t" },
			`--nats-token-file: wants to stand alone, without --nats-token, got "/t"`,
		},
		{
			"certificate without key", func(o *Options) { o.Bus.CertFile = "/c" },
			`--nats-cert: wants --nats-key beside it, got "/c"`,
		},
		{
			"key without certificate", func(o *Options) { o.Bus.KeyFile = "/k" },
			`--nats-key: wants --nats-cert beside it, got "/k"`,
		},
		{"longest group name", func(o *Options) { o.MaxGroupBytes = 256 }, ""},
		{
			"too long group name",
			func(o *Options) { o.MaxGroupBytes, o.Bus.Servers = 257, []string{"nats://u:s3cret@a", "tls://b:1"} },
			"--max-group-name: wants at most 256 with --nats (nats://a:4222,tls://b:1), got 257",
		},
		{"join wait", func(o *Options) { o.Bus.JoinWait = time.Hour }, "--nats-join-wait: wants 10ms to 1m, got 1h"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := Defaults()
			o.Bus.Servers = []string{"nats://127.0.0.1:4222"}
			c.set(&o)
			err := o.Validate()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the secret is shown: %v", err)
			}
			if err := o.Bus.Validate(); err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the secret is shown below: %v", err)
			}
		})
	}
}

// Without servers there is no cluster, and what else is set for it is neither wrong nor in force.
func TestSettingsOfNoCluster(t *testing.T) {
	o := Defaults()
	o.Bus.CredentialsFile, o.Bus.User, o.Bus.Token, o.Bus.CertFile, o.MaxGroupBytes = "/c", "u", "t", "/c", 4096
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
}

// What is secret in the addresses of NATS servers, and in settings of its own, is shown nowhere:
// a reload and the status write settings with Text.
func TestSecretsOfNATS(t *testing.T) {
	o := Defaults()
	o.Bus.Servers = []string{"nats://u:s3cret@a:4222", "tls://s3cret@b", "s3cret"}
	o.Bus.Password, o.Bus.Token = "s3cret", "s3cret"
	for name, want := range map[string]string{
		"nats":          "nats://a:4222,tls://b:4222,(hidden)",
		"nats-password": Hidden, "nats-token": Hidden,
	} {
		if got := Find(name).Text(o); got != want {
			t.Errorf("--%s is shown as %q, want %q", name, got, want)
		}
	}
	_, err := Read(nil, []string{"GROUPCAST_NATS=nats://u:s3c,ret@a"}) // a comma ends an item of a list
	if err == nil || strings.Contains(err.Error(), "s3c") || strings.Contains(err.Error(), "ret@") {
		t.Errorf("got %v", err)
	}
}
