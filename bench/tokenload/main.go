package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

type cli struct {
	Run   runCommand   `cmd:"" default:"withargs" help:"Start servers, have things go wrong, and judge what live sessions notice."`
	Table tableCommand `cmd:"" help:"The figures of runs as tables, in Markdown."`
	Sign  signCommand  `cmd:"" help:"Make a key and tokens, for load --tokens."`
}

// conditions are how much of everything there is.
type conditions struct {
	Server string `default:"bin/groupcast" type:"existingfile" help:"The program that is looked at."`
	Live   int    `default:"200" help:"Live members, who must notice nothing."`
	Coming int    `default:"1000" help:"Clients that come while keys change, or cannot be had."`
	Crowd  int    `default:"5000" help:"Sessions whose tokens are over at once."`
	AtOnce int    `default:"64" help:"Clients on their way at a time."`
}

type runCommand struct {
	conditions
	Rounds  int      `default:"3" help:"How often each is done, in turn."`
	Only    []string `help:"Only these: rotation, expiry, outage. Repeat the flag."`
	Results string   `help:"Add the figures to this file." placeholder:"FILE"`
}

var scenarios = []struct {
	name string
	run  func(context.Context, *conditions) (outcome, error)
}{{"rotation", rotation}, {"outage", outage}, {"expiry", expiry}}

// Run fails if the server did not do as it should.
func (r *runCommand) Run(ctx context.Context) error {
	if r.Live < 1 || r.Coming < 10 || r.Crowd < 5 || r.AtOnce < 1 || r.Rounds < 1 {
		return fmt.Errorf("--live, --coming, --crowd, --at-once, --rounds: want 1, 10, 5, 1, 1 at least; "+
			"got %d, %d, %d, %d, %d", r.Live, r.Coming, r.Crowd, r.AtOnce, r.Rounds)
	}
	only := " " + strings.Join(r.Only, " ") + " "
	var all []outcome
	for n := range r.Rounds {
		for _, s := range scenarios {
			if len(r.Only) > 0 && !strings.Contains(only, " "+s.name+" ") {
				continue
			}
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", n+1, r.Rounds, s.name)
			o, err := s.run(ctx, &r.conditions)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			if r.Results != "" {
				if err := appendTo(r.Results, []outcome{o}); err != nil {
					return err
				}
			}
			all = append(all, o)
		}
	}
	if len(all) == 0 {
		return fmt.Errorf("--only: wants rotation, expiry or outage, got %s", strings.Join(r.Only, ", "))
	}
	fmt.Print(markdown(all))
	for _, o := range all {
		if len(o.Wrong) > 0 {
			return errors.New("the server did not do as it should")
		}
	}
	return nil
}

type tableCommand struct {
	Results string `arg:"" type:"existingfile" help:"What run --results has written."`
}

// Run prints.
func (t *tableCommand) Run() error {
	file, err := os.Open(t.Results)
	if err != nil {
		return err
	}
	defer file.Close()
	all, err := readOutcomes(file)
	if err != nil {
		return fmt.Errorf("%s: %w", t.Results, err)
	}
	fmt.Print(markdown(all))
	return nil
}

type signCommand struct {
	Algorithm string        `arg:"" enum:"HS256,ES256" help:"HS256 or ES256."`
	Key       string        `required:"" help:"Where the key goes, as --token-key-file wants it." placeholder:"FILE"`
	Tokens    string        `required:"" help:"Where the tokens go, one a line." placeholder:"FILE"`
	Count     int           `default:"1000" help:"Tokens, of a user each."`
	TTL       time.Duration `name:"ttl" default:"24h" help:"How long they are good for."`
}

// Run makes both files.
func (s *signCommand) Run() error {
	k, err := newSecret(), error(nil)
	if s.Algorithm == "ES256" {
		k, err = newPair("")
	}
	if err != nil {
		return err
	}
	tokens, err := k.signMany(s.Count, s.TTL)
	if err != nil {
		return err
	}
	text, err := k.file()
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(s.Key, text, 0o600),
		os.WriteFile(s.Tokens, []byte(strings.Join(tokens, "\n")+"\n"), 0o600))
}

// scratch is a file with a key, and what removes it.
func scratch(k key) (path string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "tokenload")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	text, err := k.file()
	if err == nil {
		path = filepath.Join(dir, "key")
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		remove()
	}
	return path, remove, err
}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	parsed := kong.Parse(&cli{},
		kong.Name("tokenload"),
		kong.Description("Has tokens and their keys go wrong under load, and judges what live sessions notice."),
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err := parsed.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "tokenload:", err)
		cancel()
		os.Exit(1)
	}
}
