package main

import (
	"fmt"
	"io"

	"groupcast/server"
)

func version(stdout, stderr io.Writer) int {
	if _, err := fmt.Fprintln(stdout, server.ReadBuild()); err != nil {
		complain(stderr, err)
		return exitRefused
	}
	return exitStopped
}
