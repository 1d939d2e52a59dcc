package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"groupcast/server"
)

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "groupcast.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaultsComeFromTheOptions(t *testing.T) {
	c, err := in(t, "start")
	if err != nil {
		t.Fatal(err)
	}
	if want := server.DefaultOptions(); !reflect.DeepEqual(server.Options(c.Start.Options), want) {
		t.Errorf("got %+v\nwant %+v", c.Start.Options, want)
	}
}

// other is a value for a field that differs from its default, as it is typed.
func other(t *testing.T, field reflect.StructField, value reflect.Value) string {
	t.Helper()
	switch v := value.Interface().(type) {
	case []string:
		return "127.0.0.1:4321"
	case server.FileMode:
		return "0600"
	case server.ByteSize:
		return fmt.Sprintf("%dKiB", 2*int(v)/1024+1)
	case time.Duration:
		return (2*v + time.Second).String()
	case int:
		return fmt.Sprint(2*v + 2)
	case float64:
		return fmt.Sprint(v + 2.5)
	case string:
		return map[string]string{
			"log-level": "debug", "log-format": "json", "log-file": "/var/log/x", "pprof": "127.0.0.1:6060",
			"pid-file": "/run/pid", "user": "nobody", "group": "nogroup",
			"control": "/run/x", "api-token": "secret", "api-token-file": "/etc/x", "channel-join": "127.0.0.1:2206",
		}[field.Tag.Get("name")]
	}
	t.Fatalf("%s: this test does not know %v", field.Name, field.Type)
	return ""
}

// Every setting can be given in all three ways, and a flag beats the
// environment, which beats the file, which beats the default.
func TestEverySettingAndItsPrecedence(t *testing.T) {
	for field := range reflect.TypeFor[server.Options]().Fields() {
		name := field.Tag.Get("name")
		t.Run(name, func(t *testing.T) {
			if name == "" || field.Tag.Get("help") == "" || field.Tag.Get("group") == "" {
				t.Fatalf("%s wants a name, a help text and a group", field.Name)
			}
			fallback := reflect.ValueOf(server.DefaultOptions()).FieldByIndex(field.Index)
			changed := other(t, field, fallback)
			unchanged := defaultText(fallback)
			get := func(args ...string) string {
				t.Helper()
				c, err := in(t, append([]string{"start"}, args...)...)
				if err != nil {
					t.Fatal(err)
				}
				value := reflect.ValueOf(c.Start.Options).FieldByIndex(field.Index)
				return defaultText(value)
			}
			first := get("--" + name + "=" + changed)
			if first == unchanged {
				t.Fatalf("--%s=%s changes nothing", name, changed)
			}
			inFile := writeConfig(t, name+": \""+changed+"\"\n")
			if got := get("--config=" + inFile); got != first {
				t.Errorf("from the file: %q, by the flag: %q", got, first)
			}
			// The environment over the file.
			t.Setenv(envPrefix+"_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_")), unchanged)
			if got := get("--config=" + inFile); got != unchanged {
				t.Errorf("environment %q over file %q: got %q", unchanged, changed, got)
			}
			// The flag over the environment.
			if got := get("--"+name+"="+changed, "--config="+inFile); got != first {
				t.Errorf("flag %q over environment %q: got %q", changed, unchanged, got)
			}
			t.Setenv(envPrefix+"_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_")), changed)
			if got := get(); got != first {
				t.Errorf("environment: %q, flag: %q", got, first)
			}
		})
	}
}

// The model that kong has built, not ours: each flag of start has a variable, a
// group with a title, and its default.
func TestEveryFlagIsComplete(t *testing.T) {
	parser, err := newParser(&cli{Start: startFlags{Options: settings(server.DefaultOptions())}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, command := range parser.Model.Children {
		if command.Name != "start" {
			continue
		}
		for _, flag := range command.Flags {
			if flag.Name == "daemon" || flag.Name == "check" {
				continue // not settings: each start says it anew
			}
			seen++
			want := "GROUPCAST_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
			if len(flag.Envs) != 1 || flag.Envs[0] != want {
				t.Errorf("--%s: environment %v, want %s", flag.Name, flag.Envs, want)
			}
			if flag.Group == nil || flag.Group.Title == flag.Group.Key {
				t.Errorf("--%s is in no titled group", flag.Name)
			}
			if flag.PlaceHolder == "" {
				t.Errorf("--%s does not say what kind of value it takes", flag.Name)
			}
		}
	}
	if want := reflect.TypeFor[server.Options]().NumField() + 1; seen != want {
		t.Errorf("%d flags, want %d: the options and --config", seen, want)
	}
}

func TestListenIsRepeatable(t *testing.T) {
	want := []string{"127.0.0.1:1", "unix:/x"}
	file := writeConfig(t, "listen: ['127.0.0.1:1', 'unix:/x']\n")
	for _, args := range [][]string{
		{"start", "--listen", "127.0.0.1:1", "--listen", "unix:/x"},
		{"start", "--listen=127.0.0.1:1,unix:/x"},
		{"start", "--config", file},
	} {
		c, err := in(t, args...)
		if err != nil || !reflect.DeepEqual(c.Start.Options.Listen, want) {
			t.Errorf("%v: %v, %v", args, c, err)
		}
	}
	t.Setenv("GROUPCAST_LISTEN", "127.0.0.1:1,unix:/x")
	if c, err := in(t, "start"); err != nil || !reflect.DeepEqual(c.Start.Options.Listen, want) {
		t.Errorf("environment: %v, %v", c, err)
	}
}

func TestConfigFromTheEnvironment(t *testing.T) {
	t.Setenv("GROUPCAST_CONFIG", writeConfig(t, "max-groups: 7\n"))
	c, err := in(t, "start")
	if err != nil || c.Start.Options.MaxGroups != 7 {
		t.Errorf("got %v, %v", c, err)
	}
}

func TestConfigErrors(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"unknown":          {"drain: 1s\nnonsense: 1\n", `:2: unknown key "nonsense"`},
		"misspelt":         {"max-mesage: 1\n", `:1: unknown key "max-mesage", did you mean "max-message"?`},
		"underscores":      {"max_message: 1\n", `did you mean "max-message"?`},
		"config in config": {"config: x\n", `unknown key "config"`},
		"help":             {"help: true\n", `unknown key "help"`},
		"twice":            {"drain: 1s\n\ndrain: 2s\n", ":3: drain is set before, in line 1"},
		"no unit":          {"# seconds?\ndrain: 10\n", `:2: wants a time with its unit (500ms, 5s, 1m30s), got "10"`},
		"size":             {"max-message: 64KB\n", `:1: wants bytes, plain or in KiB, MiB or GiB (64KiB, 1MiB, 16M), got "64KB"`},
		"number":           {"loops: many\n", `:1: wants a whole number, got "many"`},
		"infinite":         {"rate: .inf\n", `:1: wants a number, got ".inf"`},
		"list":             {"loops: [1, 2]\n", ":1: wants one value, got a list"},
		"nothing":          {"loops:\n", ":1: loops: wants a value"},
		"map":              {"listen: {a: b}\n", ":1: listen: wants a value or a list"},
		"nested list":      {"listen: [[a]]\n", ":1: listen: wants a list of plain values"},
		"scalar":           {"hello\n", ":1: wants lines of the form key: value"},
		"broken":           {"a: b: c\n", "mapping values are not allowed"},
		"two documents":    {"drain: 1s\n---\ndrain: 2s\n", "wants one document"},
	} {
		t.Run(name, func(t *testing.T) {
			path := writeConfig(t, c.file)
			_, err := in(t, "start", "--config", path)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	for _, file := range []string{"", "# only a comment\n", "---\n", "null\n"} {
		if _, err := in(t, "start", "--config", writeConfig(t, file)); err != nil {
			t.Errorf("%q: %v", file, err)
		}
	}
	if _, err := in(t, "start", "--config", "/nowhere.yaml"); err == nil || !strings.Contains(err.Error(), "/nowhere.yaml: no such file") {
		t.Errorf("a missing file: %v", err)
	}
}

// A file is text: what its flags would refuse or understand, it does too.
func TestConfigValuesAreText(t *testing.T) {
	c, err := in(t, "start", "--config", writeConfig(t, "socket-mode: 0600\nmax-message: 1024\nrate: 2\n"))
	if err != nil {
		t.Fatal(err)
	}
	if o := c.Start.Options; o.SocketMode != 0o600 || o.MaxMessageBytes != 1024 || o.CommandRate != 2 {
		t.Errorf("got %+v", o)
	}
}

func TestOneEdit(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"", "", true},
		{"a", "", true},
		{"abc", "abc", true},
		{"abc", "abd", true},
		{"abc", "ac", true},
		{"ac", "abc", true},
		{"abc", "bca", false},
		{"abcd", "ab", false},
		{"aab", "ab", true},
		{"drain", "rate", false},
	} {
		if got := oneEdit(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: got %v", c.a, c.b, got)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{
		{},
		{"--help"},
		{"-h"},
		{"help"},
		{"help", "help"},
		{"start", "--help"},
		{"start", "-h"},
		{"help", "start"},
		{"help", "status"},
		{"help", "publish"},
		{"help", "--help"},
	} {
		var out, errs bytes.Buffer
		if code := run(args, &out, &errs); code != exitStopped || errs.Len() > 0 {
			t.Errorf("%v: exit %d, %s", args, code, errs.String())
		}
		for _, word := range []string{"Usage: groupcast"} {
			if !strings.Contains(out.String(), word) {
				t.Errorf("%v: %q is missing in\n%s", args, word, out.String())
			}
		}
	}
	var out bytes.Buffer
	run([]string{"start", "--help"}, &out, &out)
	for _, text := range []string{
		"--listen=ADDR,...", "(default :1234)", "--max-message=SIZE", "64KiB", "1m50s", "GROUPCAST_MAX_MESSAGE",
		"Limits of one session:", "Tuning",
	} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("%q is missing in\n%s", text, out.String())
		}
	}
}

func TestVersion(t *testing.T) {
	var out, errs bytes.Buffer
	for _, args := range [][]string{{"version"}, {"--version"}, {"-V"}, {"-v"}} {
		out.Reset()
		if code := run(args, &out, &errs); code != exitStopped || !strings.HasPrefix(out.String(), "groupcast ") || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("%v: exit %d, %q, %q", args, code, out.String(), errs.String())
		}
	}
}

// Help for one command is that command's; for one that there is not, an error.
func TestHelpForACommand(t *testing.T) {
	var asked, flagged, errs bytes.Buffer
	run([]string{"help", "start"}, &asked, &errs)
	run([]string{"start", "--help"}, &flagged, &errs)
	if asked.String() != flagged.String() || !strings.Contains(asked.String(), "--listen") {
		t.Errorf("got %s", asked.String())
	}
	asked.Reset()
	if code := run([]string{"help", "strt"}, &asked, &errs); code != exitRefused || asked.Len() > 0 || !strings.Contains(errs.String(), "unexpected argument strt") {
		t.Errorf("exit %d, %q, %q", code, asked.String(), errs.String())
	}
}

// What those who know Workerman type is understood.
func TestWorkermansCommands(t *testing.T) {
	for _, args := range [][]string{
		{"start", "-d"},
		{"stop", "-g"},
		{"restart", "-d"},
		{"restart", "-g"},
		{"restart", "-d", "-g"},
		{"restart", "-dg"},
		{"reload", "-g"},
		{"status", "-d"},
		{"connections"},
	} {
		c, err := in(t, args...)
		if err != nil {
			t.Errorf("%v: %v", args, err)
			continue
		}
		if args[0] == "restart" && len(args) > 1 && strings.Contains(strings.Join(args, ""), "d-g") && (!c.Restart.Daemon || !c.Restart.Graceful) {
			t.Errorf("%v: got %+v", args, c.Restart)
		}
	}
}
