package main

import (
	"errors"
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("wants ratios OUT FILE..., bars METRIC OUT FILE, latency OUT FILE, or sizes METRIC OUT FILE... (see the documentation of this command)")

func run(args []string) error {
	if len(args) < 3 {
		return errUsage
	}
	kind, args := args[0], args[1:]
	metric := ""
	if kind == "bars" || kind == "sizes" {
		metric, args = args[0], args[1:]
	}
	if len(args) < 2 {
		return errUsage
	}
	out := args[0]
	var list []*comparison
	for _, path := range args[1:] {
		c, err := read(path)
		if err != nil {
			return err
		}
		list = append(list, c)
	}
	switch kind {
	case "ratios":
		return drawRatios(out, list)
	case "bars":
		return drawBars(out, metric, list[0])
	case "latency":
		return drawLatency(out, list[0])
	case "sizes":
		return drawSizes(out, metric, list)
	}
	return errUsage
}
