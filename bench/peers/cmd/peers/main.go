// Command peers compares every peer that can be had here with the server and with the limit.
//
// It runs in the project's root folder, where its own is bench/peers. It builds what is there, says what is not
// and why, and hands the list to the load generator, which starts each of them in turn:
//
//	peers --load bin/load --ahead 'c-plain=bin/limit -p {port} -m plain' -- --rounds 5 big-room
//
// What follows the two dashes goes to "load compare". The candidates given by --ahead come first, and the first
// of all is the reference unless told.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// texts is a flag that may be repeated.
type texts []string

func (t *texts) String() string { return strings.Join(*t, " ") }

func (t *texts) Set(s string) error {
	*t = append(*t, s)
	return nil
}

// reasons is a flag of NAME=REASON that may be repeated.
type reasons map[string]string

func (r reasons) String() string { return "" }

func (r reasons) Set(s string) error {
	name, why, ok := strings.Cut(s, "=")
	if !ok || name == "" || why == "" {
		return errors.New("wants NAME=REASON")
	}
	r[name] = why
	return nil
}

func run() error {
	load := flag.String("load", "", "the load generator's `path`; without one, the candidates are only listed")
	source := flag.String("source", "bench/peers", "`folder` of the peers' module")
	bin := flag.String("bin", "bin/peers", "`folder` to build the peers into")
	only := flag.String("only", "", "a comma-separated `list` of peers; all that are there unless told")
	var ahead texts
	flag.Var(&ahead, "ahead", "a candidate before the peers, `NAME=CMD`; may be repeated")
	skip := make(reasons)
	flag.Var(skip, "skip",
		"a peer that cannot do this scenario, `NAME=REASON`: told, like those that are not there; may be repeated")
	flag.Parse()

	if _, err := os.Stat(filepath.Join(*source, "go.mod")); err != nil {
		return fmt.Errorf("--source: %w", err)
	}
	all, err := chosen(peers, *only)
	if err != nil {
		return err
	}
	args := []string{"compare"}
	for _, candidate := range ahead {
		args = append(args, "--candidate", candidate)
	}
	var absent []string
	for _, p := range all {
		if why, ok := skip[p.name]; ok {
			absent = append(absent, p.name+": "+why)
			continue
		}
		command, err := p.prepare(wish{*source, *bin, *only != ""})
		switch {
		case err != nil:
			absent = append(absent, fmt.Sprintf("%s: %v", p.name, err))
		case *load == "":
			fmt.Printf("%s=%s\n", p.name, command)
		default:
			args = append(args, "--candidate", p.name+"="+command)
		}
	}
	tell(os.Stderr, absent)
	if *load == "" {
		return nil
	}
	err = compare(*load, append(args, flag.Args()...))
	tell(os.Stdout, absent) // again, where the tables are read
	return err
}

// chosen are the peers that are asked for, in their own order.
func chosen(all []peer, list string) ([]peer, error) {
	if list == "" {
		return all, nil
	}
	names := strings.Split(list, ",")
	var found []peer
	for _, p := range all {
		if i := slices.Index(names, p.name); i >= 0 {
			found = append(found, p)
			names = slices.Delete(names, i, i+1)
		}
	}
	if len(names) > 0 {
		return nil, fmt.Errorf("there is no peer named %s", strings.Join(names, " or "))
	}
	return found, nil
}

func tell(w io.Writer, absent []string) {
	for _, text := range absent {
		fmt.Fprintf(w, "not compared: %s\n", text)
	}
}

// compare runs the load generator, which ends what it has started, also when interrupted: so that is passed on.
func compare(load string, args []string) error {
	cmd := exec.Command(load, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the load generator: %w", err)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for range signals {
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
	}()
	if err := cmd.Wait(); err != nil {
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			return errors.New("the comparison ended with an error")
		}
		return err
	}
	return nil
}
