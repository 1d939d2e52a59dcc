package settings

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "groupcast.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// yamlLine is a setting's line in a file.
func yamlLine(s *Setting, values []string) string {
	if !s.list {
		return s.Name + ": '" + values[0] + "'\n"
	}
	return s.Name + ": ['" + strings.Join(values, "', '") + "']\n"
}

// Every setting can be given in all three ways, and a flag beats the environment,
// which beats the file, which beats the default.
func TestEverySettingAndItsPrecedence(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			if s.Name == "config" {
				t.Skip("it names the file: TestConfigIsNamed")
			}
			first := another(t, s)
			var third []string // neither first nor the default, where there is one
			fallback := Defaults()
			if third = s.write(&fallback); len(third) == 0 || third[0] == "" {
				third = first
			}
			path := file(t, yamlLine(s, first))
			get := func(flags Flags, environ ...string) []string {
				t.Helper()
				if s.Name == "tls-key" {
					environ = append(environ, "GROUPCAST_TLS_CERT=/x")
				}
				if s.Name == "api-client-ca" {
					environ = append(environ, "GROUPCAST_TLS_CERT=/x", "GROUPCAST_API=tls:127.0.0.1:1")
				}
				if s.Name == "api" {
					environ = append(environ, "GROUPCAST_API_TOKEN_FILE=/x")
				}
				o, err := Read(flags, environ)
				if err != nil {
					t.Fatal(err)
				}
				return s.write(&o)
			}
			want := func(what string, got, want []string) {
				t.Helper()
				var a, b Options
				s.read(&a, got)
				s.read(&b, want)
				if !s.Same(a, b) {
					t.Errorf("%s: got %q, want %q", what, got, want)
				}
			}
			variable := Variable(s.Name) + "="
			want("the flag", get(Flags{s.Name: first}), first)
			want("the variable", get(nil, variable+strings.Join(first, ",")), first)
			want("the file", get(Flags{"config": {path}}), first)
			want("variable over file", get(nil, "GROUPCAST_CONFIG="+path, variable+strings.Join(third, ",")), third)
			both := []string{"GROUPCAST_CONFIG=" + path, variable + strings.Join(first, ",")}
			want("flag over variable", get(Flags{s.Name: third}, both...), third)
			want("flag over file", get(Flags{s.Name: third, "config": {path}}), third)
		})
	}
}

func TestNothingGiven(t *testing.T) {
	o, err := Read(nil, []string{"PATH=/bin", "GROUPCASTX=1", "groupcast_loops=1"})
	if err != nil || !reflect.DeepEqual(o, Defaults()) {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestConfigIsNamed(t *testing.T) {
	path := file(t, "max-groups: 7\n")
	for _, o := range []Options{
		must(t)(Read(Flags{"config": {path}}, nil)),
		must(t)(Read(nil, []string{"GROUPCAST_CONFIG=" + path})),
		must(t)(Read(Flags{"config": {path}}, []string{"GROUPCAST_CONFIG=/nowhere"})),
	} {
		if o.MaxGroups != 7 || o.ConfigFile != path {
			t.Errorf("%+v", o)
		}
	}
}

func must(t *testing.T) func(Options, error) Options {
	t.Helper()
	return func(o Options, err error) Options {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
		return o
	}
}

func TestLists(t *testing.T) {
	want := []string{"127.0.0.1:1", "unix:/x"}
	for _, o := range []Options{
		must(t)(Read(Flags{"listen": {"127.0.0.1:1", "unix:/x"}}, nil)),
		must(t)(Read(Flags{"listen": {"127.0.0.1:1,unix:/x"}}, nil)),
		must(t)(Read(nil, []string{"GROUPCAST_LISTEN=127.0.0.1:1,unix:/x"})),
		must(t)(Read(Flags{"config": {file(t, "listen: ['127.0.0.1:1', 'unix:/x']\n")}}, nil)),
		must(t)(Read(Flags{"config": {file(t, "listen: 127.0.0.1:1,unix:/x\n")}}, nil)),
	} {
		if !slices.Equal(o.Listen, want) {
			t.Errorf("got %q", o.Listen)
		}
	}
	// A file's list is taken as it is written.
	path := file(t, "listen: ['unix:/a,b']\nchannel: []\n")
	if o := must(t)(Read(Flags{"config": {path}}, nil)); o.Listen[0] != "unix:/a,b" || len(o.Channel) != 0 {
		t.Errorf("got %q", o.Listen)
	}
}

// Everything that is wrong is told at once, each mistake once: with the setting, where
// it was set, what it wants and what it got.
func TestAllMistakesAtOnce(t *testing.T) {
	path := file(t, strings.Join([]string{
		"drain: 10",             // no unit
		"max-mesage: 1",         // misspelt
		"loops: 300",            // out of range
		"api-token: 'a b'",      // a secret
		"max-groups: [1, 2]",    // a list
		"max-conns: lots",       // beaten by the variable
		"close-timeout: 5s",     // right
		"ping-after: 3m",        // more than close-after
		"channel-max-frame: 1M", // right
	}, "\n"))
	_, err := Read(
		Flags{
			"config": {path}, "log-level": {"loud"}, "rate": {"fast"}, "nonsense": nil, "max-message": nil,
			"socket-mode": {"0o9"}, "listne": {"x"},
		},
		[]string{
			"GROUPCAST_MAX_CONNS=5", "GROUPCAST_BURST=", "GROUPCAST_MAX_MEMBER=1", "GROUPCAST_PORT=8080",
			"GROUPCAST_LISTEN=here,:1,:1", "GROUPCAST_CLOSE_RATE=64KB",
		},
	)
	want := []string{
		"unknown flag --listne, did you mean --listen?",
		"unknown flag --nonsense",
		`--burst (GROUPCAST_BURST): wants a value, or the variable not set, got ""`,
		"unknown variable GROUPCAST_MAX_MEMBER, did you mean GROUPCAST_MAX_MEMBERS?",
		"unknown variable GROUPCAST_PORT",
		path + `:2: unknown key "max-mesage", did you mean "max-message"?`,
		`--socket-mode: wants an octal file mode such as 0660, got "0o9"`,
		"--max-message: wants a value",
		`--rate: wants a number, got "fast"`,
		`--close-rate (GROUPCAST_CLOSE_RATE): wants bytes, plain or in KiB, MiB or GiB (64KiB, 1MiB, 16M), got "64KB"`,
		"--max-groups (" + path + ":5): wants one value, got a list of 2",
		"--drain (" + path + `:1): wants a time with its unit (500ms, 5s, 1m30s), got "10"`,
		`--listen (GROUPCAST_LISTEN): wants HOST:PORT, :PORT or unix:/PATH, got "here"`,
		"--loops (" + path + ":3): wants 0 to 256, got 300",
		"--api-token (" + path + ":4): wants 1 to 512 characters of printable ASCII, without spaces, got (secret)",
		`--log-level: wants debug, info, warn or error, got "loud"`,
		"--close-after: wants more than --ping-after (3m), got 1m50s",
	}
	var got []string
	for _, one := range Split(err) {
		got = append(got, one.Error())
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// What follows from a mistake is no mistake of its own.
func TestNothingIsToldTwice(t *testing.T) {
	for name, c := range map[string]struct {
		flags   Flags
		environ []string
		want    string
	}{
		"no token because it is misspelt": {
			Flags{"api": {":1235"}, "api-tokn-file": {"/x"}},
			nil,
			"unknown flag --api-tokn-file, did you mean --api-token-file?",
		},
		"no token because it is empty": {
			Flags{"api": {":1235"}},
			[]string{"GROUPCAST_API_TOKEN="},
			`--api-token (GROUPCAST_API_TOKEN): wants a value, or the variable not set, got ""`,
		},
		"no token because of the file": {
			Flags{"api": {":1235"}, "config": {"/nowhere"}},
			nil,
			"--config: open /nowhere: no such file or directory",
		},
		"ping after out of range": {
			Flags{"ping-after": {"25h"}},
			nil,
			"--ping-after: wants 50ms to 24h, got 25h",
		},
		"a file that is not named": {Flags{"config": nil}, nil, "--config: wants a value"},
		"the file named by a variable": {
			nil,
			[]string{"GROUPCAST_CONFIG=/nowhere"},
			"--config (GROUPCAST_CONFIG): open /nowhere: no such file or directory",
		},
		"empty, although a flag beats it": {
			Flags{"loops": {"2"}},
			[]string{"GROUPCAST_LOOPS="},
			`--loops (GROUPCAST_LOOPS): wants a value, or the variable not set, got ""`,
		},
		"an empty token":       {Flags{"api-token": {""}}, nil, `--api-token: wants a value, got ""`},
		"an empty token file":  {Flags{"api-token-file": {""}}, nil, `--api-token-file: wants a value, got ""`},
		"a list without items": {Flags{"api": nil}, nil, "--api: wants a value"},
	} {
		if _, err := Read(c.flags, c.environ); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v\nwant %s", name, err, c.want)
		}
	}
}

// An empty variable does not take the file's token away.
func TestEmptyVariableOpensNothing(t *testing.T) {
	path := file(t, "api-token: 0123456789abcdef\n")
	if o, err := Read(Flags{"config": {path}}, []string{"GROUPCAST_API_TOKEN="}); err == nil {
		t.Errorf("the token is %q", o.APIToken)
	}
}

// What Kubernetes makes for a service of the name is passed over, and nothing else.
func TestServiceLinks(t *testing.T) {
	for _, variable := range []string{
		"GROUPCAST_SERVICE_HOST=10.0.0.1", "GROUPCAST_SERVICE_PORT=1234", "GROUPCAST_SERVICE_PORT_WEBSOCKET=1234",
		"GROUPCAST_PORT=tcp://10.0.0.1:1234", "GROUPCAST_PORT_1234_TCP=tcp://10.0.0.1:1234",
		"GROUPCAST_PORT_1234_TCP_PROTO=tcp",
		"GROUPCAST_PORT_1234_TCP_PORT=1234", "GROUPCAST_PORT_1234_TCP_ADDR=10.0.0.1", "GROUPCAST_API_SERVICE_HOST=10.0.0.1",
		"GROUPCAST_API_PORT=tcp://10.0.0.1:1235", "GROUPCAST_API_PORT_1235_TCP=tcp://10.0.0.1:1235",
		"GROUPCAST_INTERNAL_REPORT=3",
	} {
		if o, err := Read(nil, []string{variable}); err != nil || !reflect.DeepEqual(o, Defaults()) {
			t.Errorf("%s: %v", variable, err)
		}
	}
	for _, variable := range []string{
		"GROUPCAST_PORT=1234", "GROUPCAST_API_PORT=1234", "GROUPCAST_SERVICE=x", "GROUPCAST_SERVICE_HOSTS=x",
		"GROUPCAST_PORTS=1", "GROUPCAST_=x",
		"GROUPCAST_PORT_=x", "GROUPCAST_MAX_MESSAGE_PORT=64KiB",
	} {
		_, err := Read(nil, []string{variable})
		name, _, _ := strings.Cut(variable, "=")
		if err == nil || !strings.HasPrefix(err.Error(), "unknown variable "+name) {
			t.Errorf("%s: %v", variable, err)
		}
	}
	// No setting's own variable may look like one.
	for _, s := range All() {
		if serviceLink(Variable(s.Name), "tcp://x") {
			t.Errorf("%s looks like a service link", Variable(s.Name))
		}
	}
}

func TestFileErrors(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"unknown":          {"drain: 1s\nnonsense: 1\n", `:2: unknown key "nonsense"`},
		"underscores":      {"max_message: 1\n", `did you mean "max-message"?`},
		"config in config": {"config: x\n", `unknown key "config"`},
		"help":             {"help: true\n", `unknown key "help"`},
		"twice":            {"drain: 1s\n\ndrain: 2s\n", ":3): wants one line, got another line before, 1"},
		"infinite":         {"rate: .inf\n", `:1): wants a number, got ".inf"`},
		"nothing":          {"loops:\n", ":1): wants a value or a list of values, got nothing"},
		"map":              {"listen: {a: b}\n", ":1): wants a value or a list of values, got lines of another form"},
		"nested list":      {"listen: [[a]]\n", ":1): wants a list of plain values"},
		"a list as a key":  {"[a]: 1\n", `:1: unknown key ""`},
		"scalar":           {"hello\n", ":1: wants lines of the form key: value"},
		"broken":           {"a: b: c\n", "mapping values are not allowed"},
		"two documents":    {"drain: 1s\n---\ndrain: 2s\n", "wants one document"},
		"large":            {"#" + strings.Repeat("x", maxFileBytes), "wants 1048576 bytes at most"},
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t, c.file)
			_, err := Read(Flags{"config": {path}}, nil)
			if len(Split(err)) != 1 || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	for _, text := range []string{"", "# only a comment\n", "---\n", "null\n"} {
		if _, err := Read(Flags{"config": {file(t, text)}}, nil); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A file is text: what its flags would refuse or understand, it does too.
func TestFileValuesAreText(t *testing.T) {
	text := "socket-mode: 0600\nmax-message: 1024\nrate: 2\nhandshake-timeout: &t 7s\nclose-timeout: *t\n"
	o := must(t)(Read(Flags{"config": {file(t, text)}}, nil))
	if o.SocketMode != 0o600 || o.MaxMessageBytes != 1024 || o.CommandRate != 2 || o.CloseTimeout != 7*time.Second {
		t.Errorf("got %+v", o)
	}
}

// The file that is written has every key, says the defaults, loads as it is, and
// keeps secrets.
func TestWriteConfig(t *testing.T) {
	var b bytes.Buffer
	if err := WriteConfig(&b); err != nil {
		t.Fatal(err)
	}
	path := file(t, b.String())
	o := must(t)(Read(Flags{"config": {path}}, nil))
	if o.ConfigFile = ""; !reflect.DeepEqual(o, Defaults()) {
		t.Errorf("got %+v\nwant %+v", o, Defaults())
	}
	given, errs := fromFile(path, strings.NewReader(b.String()))
	if len(errs) > 0 {
		t.Error(errs)
	}
	for _, s := range All() {
		_, there := given[s.Name]
		commented := strings.Contains(b.String(), "\n# "+s.Name+": ")
		switch {
		case there && (s.Secret || s.NoKey), !there && !commented && !s.NoKey:
			t.Errorf("%s: there %v, as a comment %v", s.Name, there, commented)
		case !there && s.Default() != "":
			t.Errorf("%s: its default %q is not there", s.Name, s.Default())
		}
	}
	for line := range strings.Lines(b.String()) {
		if len(line) > 121 {
			t.Errorf("a long line: %s", line)
		}
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
		{"abc", "acb", true},
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
