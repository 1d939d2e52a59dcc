package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"groupcast/server"
	"groupcast/server/settings"
)

// cli is the command line.
type cli struct {
	Start       startFlags       `cmd:"" help:"Run the server until it is stopped."`
	Stop        stopFlags        `cmd:"" help:"Stop a running server, and wait until it is gone."`
	Restart     restartFlags     `cmd:"" help:"Stop a running server and start it again, as it was started."`
	Reload      reloadFlags      `cmd:"" help:"Have a running server read its configuration file again."`
	Status      statusFlags      `cmd:"" help:"Show how a running server is doing."`
	Connections connectionsFlags `cmd:"" help:"List the sessions of a running server, and the connections to its Channel server."`
	Queues      queuesFlags      `cmd:"" help:"List or empty the queues of a running Channel server."`
	Publish     publishFlags     `cmd:"" help:"Send a message to a group, or to users, of a running server."`
	Token       tokenFlags       `cmd:"" help:"Make a token for a client, to try things out."`
	Version     struct{}         `cmd:"" help:"Print the version."`

	command string // the one that was chosen
	helped  bool   // help was printed, which is all that was asked
}

type startFlags struct {
	Settings    kong.Plugins `embed:""` // one flag for each setting; see flags.go
	Daemon      bool         `name:"daemon" short:"d" env:"-" help:"Run in the background. The command ends when the server is up, or has failed."`
	Check       bool         `name:"check" env:"-" help:"Check the settings, and the files and addresses that they name. Starts nothing; an address that is in use is no mistake."`
	PrintConfig bool         `name:"print-config" env:"-" help:"Print a configuration file with every default and what it means, and start nothing."`
	HelpAll     helpAll      `name:"help-all" env:"-" help:"Show every setting there is, and not only the usual ones."`

	Options server.Options `kong:"-"` // what the settings say
}

// where is the part of a command line that says which server is meant.
type where struct {
	Control string `name:"control" placeholder:"PATH" help:"The server's control socket, or a directory with it. Needed only if several servers run."`
}

type stopFlags struct {
	where `embed:""`

	Graceful bool          `name:"graceful" short:"g" env:"-" help:"Let no new client in, and wait until all sessions have left by themselves, however long that takes."`
	Timeout  time.Duration `name:"timeout" env:"-" placeholder:"TIME" help:"Wait that long for the end, at most. 0 is what --drain of the server allows; with -g, for ever."`
}

type restartFlags struct {
	where `embed:""`

	Daemon   bool          `name:"daemon" short:"d" env:"-" help:"Start it in the background, also if it was not there."`
	Graceful bool          `name:"graceful" short:"g" env:"-" help:"As for stop."`
	Timeout  time.Duration `name:"timeout" env:"-" placeholder:"TIME" help:"As for stop."`
}

type reloadFlags struct {
	where `embed:""`

	Graceful bool `name:"graceful" short:"g" env:"-" help:"Nothing else: no reload closes a session."`
	JSON     bool `name:"json" env:"-" help:"Print JSON, for scripts."`
}

type statusFlags struct {
	where `embed:""`

	Live bool `name:"live" short:"d" env:"-" help:"Show it anew every second, until Ctrl+C."`
	JSON bool `name:"json" env:"-" help:"Print JSON, for scripts: one line for each snapshot."`
}

type connectionsFlags struct {
	where `embed:""`

	Limit int  `name:"limit" env:"-" placeholder:"N" help:"List that many, at most. 0 is all."`
	JSON  bool `name:"json" env:"-" help:"Print JSON, for scripts: one line for each session and connection."`
}

type queuesFlags struct {
	where `embed:""`

	Purge []string `name:"purge" env:"-" placeholder:"QUEUE" help:"Throw the messages of this queue away. Repeat it for several."`
	Limit int      `name:"limit" env:"-" default:"1000" placeholder:"N" help:"List that many queues, at most: those that hold most. 1 to 1000."`
	JSON  bool     `name:"json" env:"-" help:"Print JSON, for scripts: one line for each queue."`
}

type publishFlags struct {
	where `embed:""`

	Users   []string `name:"user" env:"-" sep:"none" placeholder:"USER" help:"All sessions whose token's sub is that user. Repeat it for several."`
	Group   *string  `arg:"" optional:"" help:"The group; with --user it may be left out."`
	Message *string  `arg:"" optional:"" help:"The message; - is standard input, as it is, to its end."`
}

type tokenFlags struct {
	KeyFile  string        `name:"token-key-file" env:"-" required:"" placeholder:"FILE" help:"The secret, or the PEM file with a private key, to sign it with."`
	Sub      string        `name:"sub" env:"-" required:"" placeholder:"USER" help:"The user."`
	Join     []string      `name:"join" env:"-" sep:"none" placeholder:"PATTERN" help:"Groups that may be joined: a name, or its beginning and a * behind it. Repeat it for several."`
	Publish  []string      `name:"publish" env:"-" sep:"none" placeholder:"PATTERN" help:"Groups that may be sent to, likewise."`
	Members  []string      `name:"members" env:"-" sep:"none" placeholder:"PATTERN" help:"Groups whose members may be listed, likewise."`
	Groups   []string      `name:"groups" env:"-" sep:"none" placeholder:"GROUP" help:"Joined at once. Repeat it for several."`
	TTL      time.Duration `name:"ttl" env:"-" default:"1h" placeholder:"TIME" help:"How long it is good for."`
	Issuer   string        `name:"issuer" env:"-" placeholder:"ISS" help:"Its iss."`
	Audience string        `name:"audience" env:"-" placeholder:"AUD" help:"Its aud."`
}

const (
	envPrefix   = "GROUPCAST"
	description = "A self-hosted WebSocket push server: clients join groups, and whatever is sent to a group reaches " +
		"every member."
	startDetail = "Every setting is a flag, an environment variable and a key of the --config file: --max-message, " +
		"GROUPCAST_MAX_MESSAGE, max-message. A flag beats the environment, the environment beats the file, the file " +
		"beats the default.\n\n" +
		"SIZE is in bytes, or 64KiB, 1MiB, 1GiB (K, M and G mean the same). TIME is 500ms, 5s, 1m30s. A limit that " +
		"is hit never loses anything in silence: a session is told by a close code or an error."
)

// parse reads the command line, the environment and the configuration file.
func parse(args []string, stdout, stderr io.Writer) (*cli, error) {
	c := &cli{}
	table := newSettingFlags(asKongWrites(args))
	c.Start.Settings = kong.Plugins{table.plugin()}
	parser, err := newParser(c, stdout, stderr)
	if err != nil {
		return nil, err
	}
	ctx, err := parser.Parse(table.args)
	if c.helped {
		return c, nil
	}
	if wrapped, ok := errors.AsType[*kong.ParseError](err); ok {
		err = wrapped.Unwrap() // what is around it says nothing more
	}
	if err != nil {
		return nil, errors.Join(append(table.errs, err)...)
	}
	c.command, _, _ = strings.Cut(ctx.Command(), " ")
	if c.command == "start" && !c.Start.PrintConfig {
		c.Start.Options, err = settings.Read(table.given(), os.Environ())
	}
	return c, errors.Join(append(table.errs, settings.Split(err)...)...)
}

// asKongWrites has the usual ways to ask for help and version mean what kong knows.
func asKongWrites(args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "help" && len(args) > 1 && args[1] != "help":
		return append(slices.Clone(args[1:]), "--help")
	case args[0] == "help":
		return []string{"--help"}
	case slices.Contains([]string{"--version", "-version", "-V", "-v"}, args[0]):
		return append([]string{"version"}, args[1:]...)
	}
	return args
}

func newParser(c *cli, stdout, stderr io.Writer) (*kong.Kong, error) {
	parser, err := kong.New(c,
		kong.Name("groupcast"),
		kong.Description(description),
		kong.ExplicitGroups(groups()),
		kong.DefaultEnvars(envPrefix),
		kong.PostBuild(describeStart),
		kong.ValueFormatter(func(value *kong.Value) string { return value.Help }),
		kong.TypeMapper(reflect.TypeFor[string](), kong.MapperFunc(verbatim)),
		kong.TypeMapper(reflect.TypeFor[int](), number(strconv.Atoi, "a whole number")),
		kong.TypeMapper(reflect.TypeFor[time.Duration](),
			number(time.ParseDuration, "a time with its unit (500ms, 5s, 1m30s)")),
		kong.Writers(stdout, stderr),
		kong.ConfigureHelp(kong.HelpOptions{
			WrapUpperBound: 100,
			// A list of commands at the top is read; every flag of each is not.
			NoExpandSubcommands: true,
		}),
		// kong's --help ends the process; the exit code is run's to give.
		kong.Exit(func(int) { c.helped = true }),
	)
	if err != nil {
		return nil, fmt.Errorf("build the command line: %w", err)
	}
	return parser, nil
}

// verbatim takes a text as it is. kong's own way is by JSON, which replaces what
// is not UTF-8: a message would be sent that nobody has written.
func verbatim(ctx *kong.DecodeContext, target reflect.Value) error {
	token, err := ctx.Scan.PopValue("value")
	if err != nil {
		return errors.New("wants a value")
	}
	text, ok := token.Value.(string)
	if !ok {
		return fmt.Errorf("wants a text, got %v", token.Value)
	}
	target.SetString(text)
	return nil
}

// number reads one kind of value; its error says what is wanted, as those of
// the settings do, where kong's own would say what was expected by Go.
func number[T any](parse func(string) (T, error), wanted string) kong.MapperFunc {
	return func(ctx *kong.DecodeContext, target reflect.Value) error {
		var text string
		if err := ctx.Scan.PopValueInto("value", &text); err != nil {
			return fmt.Errorf("wants %s", wanted)
		}
		value, err := parse(text)
		if err != nil {
			return fmt.Errorf("wants %s, got %q", wanted, text)
		}
		target.Set(reflect.ValueOf(value))
		return nil
	}
}

func describeStart(k *kong.Kong) error {
	for _, command := range k.Model.Children {
		if command.Name == "start" {
			command.Detail = startDetail
		}
	}
	return nil
}

// oneLine keeps a message that others wrote (a YAML parser, say) from being
// several.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
