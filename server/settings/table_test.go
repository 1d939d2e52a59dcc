package settings

import (
	"bytes"
	"errors"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"groupcast/loop"
	"groupcast/server/api"
	"groupcast/server/bus"
	"groupcast/server/workerman"
)

// Every row is whole, and every name stands for one setting.
func TestRows(t *testing.T) {
	seen := make(map[string]bool)
	for _, s := range All() {
		if s.Name == "" || strings.Trim(s.Name, "abcdefghijklmnopqrstuvwxyz-6") != "" || seen[s.Name] {
			t.Errorf("%q is no name, or the second one", s.Name)
		}
		seen[s.Name] = true
		if s.hint == "" || s.read == nil || s.check == nil || s.write == nil {
			t.Errorf("%s: there is no value", s.Name)
		}
		if !strings.HasSuffix(s.Help, ".") || strings.Contains(s.Help, "  ") {
			t.Errorf("%s: the help is no sentence: %q", s.Name, s.Help)
		}
		if (s.Reload.When == Restart) != (s.Reload.Why != "") {
			t.Errorf("%s: a restart has a reason, and nothing else has: %+v", s.Name, s.Reload)
		}
	}
}

// notSettings are fields of Options that the process fills in.
var notSettings = []string{
	"Engine.Logger", "Engine.AllowOrigin", "Engine.OnMessage", "Engine.CloseLimit",
	"Engine.JoinWait", // Bus.JoinWait
	"Engine.Anonymous", "Engine.Budget", "Engine.Authenticate", "Engine.ListMembers", "Engine.UncountedIPs",
	"APILimits.MaxMessageBytes",
	"APIServer.Logger",
	"ChannelServer.Budget",
	"ChannelServer.Logger", "ChannelServer.IPv6Bits", "ChannelServer.Channel", "ChannelClient.Logger",
	"ChannelClient.Channel",
	"ChannelClient.Address", "ChannelServer.MaxMessageBytes", "ChannelClient.MaxMessageBytes",
	"ChannelServer.MaxChannelsPerFrame", // as many as a connection
	// set once, for both sides
	"ChannelClient.SendBufferBytes", "ChannelClient.MaxFrameBytes", "ChannelClient.PublishTimeout",
	"ChannelClient.SinkMessages", "ChannelClient.SinkBytes",
	"Bus.Budget", "Bus.Logger",
}

// fields are the fields of a struct and of those in it, by their path: those that others may set.
func fields(v reflect.Value, path string, visit func(path string, v reflect.Value)) {
	for field, value := range v.Fields() {
		if !field.IsExported() {
			continue
		}
		name := strings.TrimPrefix(path+"."+field.Name, ".")
		if value.Kind() == reflect.Struct {
			fields(value, name, visit)
		} else {
			visit(name, value)
		}
	}
}

// A limit that has no row cannot be set, and a row that is written to another's
// field is not in force: each field belongs to one row, and each row to one field.
func TestEveryFieldHasARow(t *testing.T) {
	rows := make(map[string]string) // by the field's path
	for _, s := range All() {
		o, fallback := Defaults(), Defaults()
		if w := s.read(&o, another(t, s)); w != nil {
			t.Errorf("%s: %+v", s.Name, w)
		}
		was := make(map[string]any)
		fields(reflect.ValueOf(fallback), "", func(path string, v reflect.Value) { was[path] = v.Interface() })
		fields(reflect.ValueOf(o), "", func(path string, v reflect.Value) {
			if v.Kind() == reflect.Func || reflect.DeepEqual(was[path], v.Interface()) {
				return
			}
			if rows[path] != "" {
				t.Errorf("%s is set by --%s and --%s", path, rows[path], s.Name)
			}
			rows[path] = s.Name
		})
	}
	if len(rows) != len(All()) {
		t.Errorf("%d settings set %d fields", len(All()), len(rows))
	}
	fields(reflect.ValueOf(Defaults()), "", func(path string, _ reflect.Value) {
		if (rows[path] != "") == slices.Contains(notSettings, path) {
			t.Errorf("%s has no setting, or should have none: %q", path, rows[path])
		}
	})
}

// another is a value of s that is not its default, as it is typed, and may be had.
func another(t testing.TB, s *Setting) []string {
	t.Helper()
	given := map[string][]string{
		"listen": {"127.0.0.1:1", "unix:/x"}, "socket-mode": {"0600"}, "api": {"127.0.0.1:3"},
		"api-token": {"0123456789abcdef"}, "api-token-file": {"/etc/tokens"}, "api-host": {"push.example"},
		"channel": {"127.0.0.1:4"}, "channel-join": {"unix:/y"}, "channel-open": {"true"},
		"channel-allow": {"10.0.0.0/8", "::1/128"},
		"tls-cert":      {"/c"}, "tls-key": {"/k"}, "acme": {"push.example.org"}, "origin": {"https://app.example.org"},
		"trusted-proxy": {"10.0.0.0/8", "::1/128"}, "forwarded-header": {"forwarded"},
		"proxy-protocol": {"10.0.0.0/8"}, "api-client-ca": {"/ca"}, "acme-dir": {"/d"}, "acme-ca": {"https://ca"},
		"acme-email": {"a@b"},
		"tls-min":    {"1.3"},
		"config":     {"/etc/groupcast.yaml"}, "control": {"/run/x"}, "log-file": {"/var/log/x"}, "log-level": {"debug"},
		"token-key-file": {"/k"}, "token-jwks": {"https://idp.example/keys"},
		"token-issuer": {"https://idp.example=/k"}, "token-audience": {"push"}, "token-optional": {"true"},
		"anonymous-join": {"room:*", "lobby"}, "anonymous-publish": {"none"}, "anonymous-members": {"room:*"},
		"token-failures": {"2.5"},
		"log-format":     {"json"}, "max-memory": {"256MiB"}, "pprof": {"127.0.0.1:6060"}, "rate": {"2.5"},
		"api-max-batch": {"2MiB"}, "ring-slots": {"2048"}, "channel-join-retry-min": {"500ms"},
		"channel-join-retry-max": {"7s"},
		"nats":                   {"nats://a:4222", "tls://user:secret@b:4223"}, "nats-node": {"a_1"}, "nats-creds": {"/c"},
		"nats-nkey": {"/n"}, "nats-user": {"u"}, "nats-password": {"p"}, "nats-password-file": {"/p"},
		"nats-token": {"t"}, "nats-token-file": {"/t"}, "nats-ca": {"/ca"}, "nats-cert": {"/c"}, "nats-key": {"/k"},
		"nats-down": {"refuse"}, "nats-require": {"true"}, "nats-ready": {"true"},
	}[s.Name]
	if given != nil {
		return given
	}
	o := Defaults()
	for _, text := range []string{s.write(&o)[0], "0"} {
		for _, try := range []string{"1" + text, "7", "7s"} {
			o := Defaults()
			if s.read(&o, []string{try}) == nil && o.Validate() == nil && !s.Same(o, Defaults()) {
				return []string{try}
			}
		}
	}
	t.Fatalf("%s: no other value", s.Name)
	return nil
}

// What is written is read as the same: a reload and a copy rely on it.
func TestWriteAndRead(t *testing.T) {
	for _, s := range All() {
		for _, texts := range [][]string{s.write(new(Defaults())), another(t, s)} {
			var a, b Options
			if len(texts) == 1 && texts[0] == "" {
				continue
			}
			if w := s.read(&a, texts); w != nil {
				t.Errorf("%s: %q: %+v", s.Name, texts, w)
			}
			s.Copy(&b, &a)
			if !s.Same(a, b) || !reflect.DeepEqual(a, b) {
				t.Errorf("%s: %q was copied as %q", s.Name, s.write(&a), s.write(&b))
			}
		}
	}
}

// A setting with no value can be copied as well.
func TestCopyOfNothing(t *testing.T) {
	for _, s := range All() {
		o, none := Defaults(), Options{}
		s.Copy(&o, &none)
		if !s.Same(o, none) {
			t.Errorf("%s: got %q", s.Name, s.write(&o))
		}
	}
}

// Every number has an end on both sides.
func TestEveryNumberIsBounded(t *testing.T) {
	numbers := 0
	fields(reflect.ValueOf(new(Defaults())).Elem(), "", func(path string, _ reflect.Value) {
		if slices.Contains(notSettings, path) {
			return
		}
		for _, extreme := range []int64{-1, math.MaxInt64} {
			o := Defaults()
			v := at(reflect.ValueOf(&o).Elem(), path)
			switch {
			case v.CanInt():
				v.SetInt(extreme)
			case v.CanFloat():
				v.SetFloat(float64(extreme))
			default:
				return
			}
			numbers++
			if got := Wrong(o.Validate()); len(got) != 1 || got[0].Wants == "" || got[0].Got == "" {
				t.Errorf("%s = %d: %v", path, extreme, o.Validate())
			}
		}
	})
	if numbers < 80 {
		t.Errorf("%d numbers looked at", numbers)
	}
}

func at(v reflect.Value, path string) reflect.Value {
	for name := range strings.SplitSeq(path, ".") {
		v = v.FieldByName(name)
	}
	return v
}

// The packages below check their options again: what they and the table take is the same.
func TestBoundsAreThoseBelow(t *testing.T) {
	below := func(o Options) error {
		engine := o.Engine
		if engine.Loops == 0 {
			engine.Loops = 1
		}
		if engine.MaxConns == 0 {
			engine.MaxConns = 1
		}
		limits := o.APILimits
		if limits.MaxBatchBytes == 0 {
			limits.MaxBatchBytes = 1 << 20
		}
		client := o.ChannelClient
		client.Address = "unix:/x"
		cluster := o.Bus
		cluster.Servers = []string{"nats://a"}
		return errors.Join(engine.Validate(), limits.Validate(), o.ChannelServer.Validate(), client.Validate(),
			cluster.Validate())
	}
	checked := 0
	fields(reflect.ValueOf(Defaults()), "", func(path string, v reflect.Value) {
		owner, _, owned := strings.Cut(path, ".")
		if !owned || owner == "APIServer" || slices.Contains(notSettings, path) || !v.CanInt() {
			return
		}
		checked++
		// The ends of what the table takes, found by trying.
		takes := func(n int64) bool {
			o := Defaults()
			at(reflect.ValueOf(&o).Elem(), path).SetInt(n)
			return o.Validate() == nil
		}
		agree := func(n int64) {
			o := Defaults()
			at(reflect.ValueOf(&o).Elem(), path).SetInt(n)
			if a, b := o.Validate(), below(o); (a == nil) != (b == nil) {
				t.Errorf("%s = %d: the table says %v, the package below %v", path, n, a, b)
			}
		}
		now := v.Int()
		low := edge(now, -2, func(n int64) bool { return !takes(n) })
		high := edge(now, 1<<62, func(n int64) bool { return !takes(n) })
		for _, n := range []int64{low - 1, low, low + 1, high - 1, high, high + 1} {
			agree(n)
		}
	})
	if checked < 40 {
		t.Errorf("%d fields looked at", checked)
	}
}

// edge is the number nearest to bad that good is connected with: is reports what is beyond.
func edge(good, bad int64, is func(int64) bool) int64 {
	for good+1 < bad || bad+1 < good {
		if middle := good + (bad-good)/2; is(middle) {
			bad = middle
		} else {
			good = middle
		}
	}
	return good
}

// The defaults of the packages below are those of the settings.
func TestDefaultsAreThoseBelow(t *testing.T) {
	o := Defaults()
	o.Loops, o.MaxConns = loop.DefaultOptions().Loops, loop.DefaultOptions().MaxConns
	o.APILimits.MaxBatchBytes = api.DefaultLimits().MaxBatchBytes
	if !reflect.DeepEqual(o.Engine, loop.DefaultOptions()) || o.APILimits != api.DefaultLimits() ||
		o.APIServer != api.DefaultServerOptions() || !reflect.DeepEqual(o.ChannelServer, workerman.DefaultOptions()) ||
		o.ChannelClient != workerman.DefaultClientOptions() || !reflect.DeepEqual(o.Bus, bus.DefaultOptions()) {
		t.Errorf("%+v", o)
	}
	if o.Drain != 10*time.Second || o.APIServer.WriteTimeout <= apiLongest {
		t.Errorf("%+v", o)
	}
}

// server/REFERENCE.md is made from the table.
func TestReference(t *testing.T) {
	var want bytes.Buffer
	if err := WriteReference(&want); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../REFERENCE.md")
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("server/REFERENCE.md is not what the table says (%v): make reference", err)
	}
}
