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

var errUsage = errors.New("wants ratios OUT FILE..., bars METRIC OUT FILE, latency OUT FILE, sizes METRIC OUT FILE..., or groups METRIC OUT FILE... (see the documentation of this command)")

func run(args []string) error {
	if len(args) < 3 {
		return errUsage
	}
	kind, args := args[0], args[1:]
	metric := ""
	if kind == "bars" || kind == "sizes" || kind == "groups" {
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
		connections := func(c *comparison, i int) (float64, bool) {
			return c.median(i, func(r *result) float64 { return float64(r.Connections) })
		}
		return drawAgainst(out, metric, "connections", list, connections)
	case "groups":
		return drawAgainst(out, metric, "groups", list, func(c *comparison, _ int) (float64, bool) { return c.groups() })
	}
	return errUsage
}
