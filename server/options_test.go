package server

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"groupcast/loop"
)

func TestDefaultsAreValid(t *testing.T) {
	if err := DefaultOptions().Validate(); err != nil {
		t.Error(err)
	}
}

// What the loops can be told, an operator can set: under the same field name,
// which Validate relies on, and with the loops' own default.
func TestEveryLoopOptionIsAnOption(t *testing.T) {
	// Not settings: what the process itself puts in, CloseLimit from --drain.
	internal := map[string]bool{"Logger": true, "OnMessage": true, "CloseLimit": true}
	ours, theirs := reflect.ValueOf(DefaultOptions()), reflect.ValueOf(loop.DefaultOptions())
	for i := range theirs.NumField() {
		name := theirs.Type().Field(i).Name
		if internal[name] || !theirs.Type().Field(i).IsExported() {
			continue
		}
		mine := ours.FieldByName(name)
		switch {
		case !mine.IsValid():
			t.Errorf("loop.Options.%s has no flag", name)
		case name == "Loops" || name == "MaxConns": // 0: the machine's choice
		case mine.Kind() == reflect.Float64:
			if mine.Float() != theirs.Field(i).Float() {
				t.Errorf("%s: default %v, the loops' is %v", name, mine, theirs.Field(i))
			}
		case mine.Int() != theirs.Field(i).Int():
			t.Errorf("%s: default %v, the loops' is %v", name, mine, theirs.Field(i))
		}
	}
}

// A setting that does not reach the loops is a limit that is not in force.
func TestEveryOptionReachesTheLoops(t *testing.T) {
	for field := range reflect.TypeFor[loop.Options]().Fields() {
		if _, ok := reflect.TypeFor[Options]().FieldByName(field.Name); !ok || field.Name == "MaxConns" {
			continue
		}
		o := DefaultOptions()
		value := reflect.ValueOf(&o).Elem().FieldByName(field.Name)
		if value.Kind() == reflect.Float64 {
			value.SetFloat(7)
		} else {
			value.SetInt(7)
		}
		got := reflect.ValueOf(o.loopOptions(1)).FieldByName(field.Name)
		if got.CanFloat() && got.Float() != 7 || got.CanInt() && got.Int() != 7 {
			t.Errorf("%s: set to 7, the loops get %v", field.Name, got)
		}
	}
	if got := DefaultOptions().loopOptions(77).MaxConns; got != 77 {
		t.Errorf("MaxConns: 77 settled, the loops get %d", got)
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
		{"bad address", func(o *Options) { o.Listen = []string{"nowhere"} }, `--listen: wants HOST:PORT, :PORT or unix:/PATH, got "nowhere"`},
		{"bad port", func(o *Options) { o.Listen = []string{":65536"} }, `--listen: wants a port from 0 to 65535, got ":65536"`},
		{"no path", func(o *Options) { o.Listen = []string{"unix:"} }, `--listen: wants a path behind unix:, got "unix:"`},
		{"long path", func(o *Options) { o.Listen = []string{"unix:/" + strings.Repeat("x", 107)} }, "--listen: wants a socket path of at most 107 bytes, got 108"},
		{"twice", func(o *Options) { o.Listen = []string{":1", ":1"} }, `--listen: wants each address once, got ":1" twice`},
		{"mode", func(o *Options) { o.SocketMode = 0o1777 }, "--socket-mode: wants 0000 to 0777, got 1777"},
		{"drain below", func(o *Options) { o.Drain = -1 }, "--drain: wants 0s to 1h0m0s"},
		{"drain above", func(o *Options) { o.Drain = time.Hour + 1 }, "--drain: wants 0s to 1h0m0s"},
		{"level", func(o *Options) { o.LogLevel = "info+3" }, `--log-level: wants debug, info, warn or error, got "info+3"`},
		{"format", func(o *Options) { o.LogFormat = "xml" }, `--log-format: wants text or json, got "xml"`},
		{"message beyond ring", func(o *Options) { o.MaxMessageBytes, o.MaxBacklogBytes = 32<<20, 64<<20 }, "--ring-bytes: wants at least"},
		{"message beyond backlog", func(o *Options) { o.MaxBacklogBytes = 64 << 10 }, "--max-backlog: wants at least"},
		{"close before ping", func(o *Options) { o.CloseAfter = o.PingAfter }, "--close-after: wants more than --ping-after (55s), got 55s"},
		{"api address", func(o *Options) { o.API = []string{"here"} }, `--api: wants HOST:PORT, :PORT or unix:/PATH, got "here"`},
		{"api twice", func(o *Options) { o.API = []string{"127.0.0.1:1", "127.0.0.1:1"} }, `--api: wants each address once, got "127.0.0.1:1" twice`},
		{"api none and some", func(o *Options) { o.API = []string{"none", "127.0.0.1:1"} }, `--api: wants HOST:PORT, :PORT or unix:/PATH, got "none"`},
		{"api for all", func(o *Options) { o.API = []string{":1235"} }, "--api: :1235 can be reached from other machines, and the API has no token"},
		{"channel address", func(o *Options) { o.Channel = []string{"2206"} }, `--channel: wants HOST:PORT, :PORT or unix:/PATH, got "2206"`},
		{"channel for all", func(o *Options) { o.Channel = []string{"0.0.0.0:2206"} }, "--channel: 0.0.0.0:2206 can be reached from other machines, and the Channel"},
		{"channel for all, too", func(o *Options) { o.Channel = []string{"127.0.0.1:1", ":2206"} }, "--channel: :2206 can be reached from other machines"},
		{"channel at a name", func(o *Options) { o.Channel = []string{"php.internal:2206"} }, "--channel: php.internal:2206 can be reached from other machines"},
		{"no network", func(o *Options) { o.ChannelAllow = []string{"10.0.0.0/8", "lan"} }, `--channel-allow: wants a network like 10.0.0.0/8 or an address, got "lan"`},
		{"no network, either", func(o *Options) { o.ChannelAllow = []string{"10.0.0.0/33"} }, `--channel-allow: wants a network like 10.0.0.0/8 or an address, got "10.0.0.0/33"`},
		{"stall", func(o *Options) { o.ChannelStall = 0 }, "--channel-stall: wants 1s to 24h0m0s, got 0s"},
		{"job", func(o *Options) { o.ChannelJobMax = -1 }, "--channel-job-max: wants 0s to 24h0m0s, got -1ns"},
		{"send", func(o *Options) { o.ChannelMaxSend = 1 << 20 }, "--channel-max-send: wants at least one frame (10MiB), got 1MiB"},
		{"channels", func(o *Options) { o.ChannelMaxChannels = 0 }, "--channel-max-channels: wants 1 to 1048576, got 0"},
		{"channel without a host", func(o *Options) { o.ChannelJoin = ":2206" }, `--channel-join: wants HOST:PORT, got ":2206"`},
		{"channel at a socket", func(o *Options) { o.ChannelJoin = "unix:/x" }, `--channel-join: wants HOST:PORT, got "unix:/x"`},
		{"control as an address", func(o *Options) { o.Control = "unix:/x" }, `--control: wants a path, got "unix:/x"`},
		{"control too long", func(o *Options) { o.Control = strings.Repeat("x", 108) }, "--control: wants a path of at most 107 bytes, got 108"},
		{"ring slots", func(o *Options) { o.RingSlots = 1000 }, "--ring-slots: wants a power of two, got 1000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := DefaultOptions()
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
		"none":            func(o *Options) { o.API = []string{"none"} },
		"loopback":        func(o *Options) { o.API = []string{"127.0.0.1:0", "[::1]:0", "localhost:1", "unix:/x"} },
		"token":           func(o *Options) { o.API, o.APIToken = []string{":1235"}, "0123456789abcdef" },
		"token file":      func(o *Options) { o.API, o.APITokenFile = []string{"0.0.0.0:1235"}, "/x" },
		"channel":         func(o *Options) { o.Channel, o.ChannelJoin = []string{"localhost:2206", "unix:/x"}, "other:2206" },
		"open channel":    func(o *Options) { o.Channel, o.ChannelOpen = []string{":2206", "php.internal:2206"}, true },
		"channel allows":  func(o *Options) { o.ChannelAllow = []string{"10.0.0.0/8", "::1", "127.0.0.1", "fd00::/8"} },
		"control":         func(o *Options) { o.Control = "relative" },
		"control, none":   func(o *Options) { o.Control = "none" },
		"control, folder": func(o *Options) { o.Control = "/run/x/" },
	} {
		o := DefaultOptions()
		set(&o)
		if err := o.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Sizes in errors are written as sizes are typed.
func TestValidateWritesSizes(t *testing.T) {
	o := DefaultOptions()
	o.MaxMessageBytes, o.MaxBacklogBytes = 32<<20, 64<<20
	err := o.Validate()
	if err == nil || !strings.Contains(err.Error(), "--max-message (32MiB)") || !strings.Contains(err.Error(), "got 16MiB") {
		t.Errorf("got %v", err)
	}
}

// Every number has an end on both sides, and no field name of ours or of the
// loops' stands in an error: operators know flags.
func TestEveryNumberIsBounded(t *testing.T) {
	for field := range reflect.TypeFor[Options]().Fields() {
		for _, extreme := range []int64{-1, math.MaxInt64} {
			o := DefaultOptions()
			value := reflect.ValueOf(&o).Elem().FieldByIndex(field.Index)
			switch {
			case value.CanInt():
				value.SetInt(extreme)
			case value.CanFloat():
				value.SetFloat(float64(extreme))
			default:
				continue
			}
			err := o.Validate()
			wrong, ok := errors.AsType[*OptionError](err)
			if !ok {
				t.Errorf("%s = %d: got %v, want an *OptionError", field.Name, extreme, err)
				continue
			}
			if flag := "--" + field.Tag.Get("name"); !strings.Contains(err.Error(), flag+": ") {
				t.Errorf("%s = %d: %q does not name %s", field.Name, extreme, err, flag)
			}
			if fieldName.MatchString(strings.ReplaceAll(strings.ReplaceAll(err.Error(), "KiB", ""), "GiB", "")) {
				t.Errorf("%s = %d: a field's name in %q", field.Name, extreme, wrong)
			}
		}
	}
}

func TestSeveralMistakesAreAllReported(t *testing.T) {
	o := DefaultOptions()
	o.Loops, o.LogLevel, o.Drain = 300, "loud", -1
	err := o.Validate()
	for _, flag := range []string{"--loops: wants 1 to 256, got 300", "--log-level:", "--drain:"} {
		if err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%v lacks %s", err, flag)
		}
	}
}

// A close handshake outside a drain ends when a drain would.
func TestDrainBoundsCloseHandshakes(t *testing.T) {
	o := DefaultOptions()
	o.Drain = 33 * time.Second
	if got := o.loopOptions(1).CloseLimit; got != o.Drain {
		t.Errorf("CloseLimit %s with --drain %s", got, o.Drain)
	}
	if got := loop.DefaultOptions().CloseLimit; got != DefaultOptions().Drain {
		t.Errorf("the loops' default is %s, that of --drain %s", got, DefaultOptions().Drain)
	}
}
