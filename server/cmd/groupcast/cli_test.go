package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"groupcast/server"
	"groupcast/server/settings"
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
	if want := server.DefaultOptions(); !reflect.DeepEqual(c.Start.Options, want) {
		t.Errorf("got %+v\nwant %+v", c.Start.Options, want)
	}
}

// The model that kong has built, not ours: there is a flag for each setting, in a
// group with a title, which says what kind of value it takes.
func TestEveryFlagIsComplete(t *testing.T) {
	c := &cli{}
	c.Start.Settings = kong.Plugins{newSettingFlags(nil).plugin()}
	parser, err := newParser(c, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	flags := make(map[string]*kong.Flag)
	for _, command := range parser.Model.Children {
		if command.Name == "start" {
			for _, flag := range command.Flags {
				flags[flag.Name] = flag
			}
		}
	}
	for _, s := range settings.All() {
		flag := flags[s.Name]
		if flag == nil {
			t.Errorf("--%s is missing", s.Name)
			continue
		}
		if flag.Group == nil || flag.Group.Title == flag.Group.Key || flag.PlaceHolder != s.Hint() {
			t.Errorf("--%s: group %v, %q", s.Name, flag.Group, flag.PlaceHolder)
		}
		if flag.Hidden != (s.Shown == settings.Rare) || !strings.HasPrefix(flag.Help, strings.TrimSuffix(s.Help, ".")) {
			t.Errorf("--%s: hidden %v, %q", s.Name, flag.Hidden, flag.Help)
		}
		if len(flag.Envs) > 0 {
			t.Errorf("--%s: kong reads %v", s.Name, flag.Envs)
		}
	}
}

// What the command line, the environment and the file say arrives in the options.
func TestStartReadsAll(t *testing.T) {
	t.Setenv("GROUPCAST_LISTEN", "127.0.0.1:1,unix:/x")
	c, err := in(t, "start", "--config", writeConfig(t, "max-groups: 7\nloops: 3\n"), "--loops", "5", "--api=none",
		"--channel", "unix:/c", "--channel=:2206", "--channel-open")
	if err != nil {
		t.Fatal(err)
	}
	o := c.Start.Options
	if !slices.Equal(o.Listen, []string{"127.0.0.1:1", "unix:/x"}) || o.MaxGroups != 7 || o.Loops != 5 ||
		!slices.Equal(o.API, []string{"none"}) || !o.ChannelOpen || !slices.Equal(o.Channel, []string{"unix:/c", ":2206"}) {
		t.Errorf("%+v", o)
	}
}

// Whatever is wrong with a command line is told at once, with what is wrong elsewhere.
func TestAllMistakesOfACommandLine(t *testing.T) {
	t.Setenv("GROUPCAST_LOPS", "1")
	_, err := in(t, "start", "stray", "--nonsense", "5", "--max-mesage=1", "-x", "--loops", "-5", "--rate", "--log-file",
		"--burst", "-.5", "--drain=7", "-d")
	want := []string{
		"unexpected argument stray",
		"unknown flag -x",
		"unknown flag --max-mesage, did you mean --max-message?",
		"unknown flag --nonsense",
		"unknown variable GROUPCAST_LOPS, did you mean GROUPCAST_LOOPS?",
		"--rate: wants a value",
		`--burst: wants a whole number, got "-.5"`,
		`--drain: wants a time with its unit (500ms, 5s, 1m30s), got "7"`,
		"--log-file: wants a value",
		"--loops: wants 0 to 256, got -5",
	}
	var got []string
	for _, one := range settings.Split(err) {
		got = append(got, one.Error())
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A command line that no setting can read is refused, and nothing worse.
func FuzzStartFlags(f *testing.F) {
	for _, line := range []string{
		"--loops 5", "--loops=5 -- x", "--a.b=c", "-dh", "-", "--", "--=", "--\"=x", "--config", "--help-al",
		"--loops=--loops", "--no-daemon",
		"--listen a --listen", "---", "--loops\x00=1", "--daemon=1 --check x", "--é=1",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := append([]string{"start"}, strings.Fields(line)...)
		if strings.Contains(line, "config") {
			return // any file may be there
		}
		c, err := parse(args, io.Discard, io.Discard)
		if err == nil && !c.helped && !c.Start.PrintConfig && c.Start.Options.Validate() != nil {
			t.Errorf("%q is taken", args)
		}
	})
}

// What start prints as a configuration is one.
func TestPrintConfig(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run([]string{"start", "--print-config"}, &out, &errs); code != exitStopped || errs.Len() > 0 {
		t.Fatalf("exit %d, %s", code, errs.String())
	}
	c, err := in(t, "start", "--config", writeConfig(t, out.String()))
	if err != nil {
		t.Fatal(err)
	}
	if c.Start.Options.ConfigFile = ""; !reflect.DeepEqual(c.Start.Options, server.DefaultOptions()) {
		t.Errorf("got %+v", c.Start.Options)
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
		"Limits of one session:", "--help-all",
	} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("%q is missing in\n%s", text, out.String())
		}
	}
	usual := out.String()
	out.Reset()
	if code := run([]string{"start", "--help-all"}, &out, &out); code != exitStopped {
		t.Errorf("exit %d", code)
	}
	for _, s := range settings.All() {
		flag := "  --" + s.Name + "="
		if strings.Contains(usual, flag) != (s.Shown == settings.Usual) || !strings.Contains(out.String(), flag) {
			t.Errorf("--%s: usual %v", s.Name, s.Shown == settings.Usual)
		}
	}
}

func TestVersion(t *testing.T) {
	var out, errs bytes.Buffer
	for _, args := range [][]string{{"version"}, {"--version"}, {"-V"}, {"-v"}} {
		out.Reset()
		if code := run(args, &out, &errs); code != exitStopped || !strings.HasPrefix(out.String(), "groupcast ") ||
			strings.Count(out.String(), "\n") != 1 {
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
	if code := run([]string{"help", "strt"}, &asked, &errs); code != exitRefused || asked.Len() > 0 ||
		!strings.Contains(errs.String(), "unexpected argument strt") {
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
		if args[0] == "restart" && len(args) > 1 && strings.Contains(strings.Join(args, ""), "d-g") &&
			(!c.Restart.Daemon || !c.Restart.Graceful) {
			t.Errorf("%v: got %+v", args, c.Restart)
		}
	}
}
