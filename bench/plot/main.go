package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("wants gather [-commit C] [-go VERSION] FOLDER FILE..., or draw FOLDER [ROOT-README]")

func run(args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	switch verb, args := args[0], args[1:]; verb {
	case "gather":
		flags := flag.NewFlagSet("plot gather", flag.ContinueOnError)
		commit := flags.String("commit", "", "what was measured")
		version := flags.String("go", "", "which Go has built it")
		if err := flags.Parse(args); err != nil {
			return err
		}
		if flags.NArg() < 2 {
			return errUsage
		}
		return gather(flags.Arg(0), flags.Args()[1:], *commit, *version)
	case "draw":
		if len(args) != 1 && len(args) != 2 {
			return errUsage
		}
		return draw(args[0], args[1:])
	}
	return errUsage
}

// gather takes what load has written into the folder's results.
func gather(folder string, files []string, commit, version string) error {
	path := filepath.Join(folder, resultsFile)
	all, err := readResults(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	peers := filepath.Join(folder, "..", "peers")
	for _, file := range files {
		c, err := readMeasured(file, peers)
		if err != nil {
			return err
		}
		c.Commit, c.Go = commit, version
		all.put(c)
	}
	return all.write(path)
}

// draw makes the pictures anew, and the parts of the READMEs that are made of figures.
func draw(folder string, root []string) error {
	all, err := readResults(filepath.Join(folder, resultsFile))
	if err != nil {
		return err
	}
	for _, p := range pictures(all) {
		svg, err := p.svg()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, p.name+".svg"), svg, 0o644); err != nil {
			return err
		}
	}
	if err := replaceBlock(filepath.Join(folder, "README.md"), "tables", tables(all)); err != nil {
		return err
	}
	for _, readme := range root {
		if err := replaceBlock(readme, "capacity", capacityMarkdown(all)); err != nil {
			return err
		}
	}
	return nil
}
