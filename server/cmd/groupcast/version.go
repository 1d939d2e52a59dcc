package main

import (
	"fmt"
	"io"

	"groupcast/server"
)

func version(stdout io.Writer) error {
	_, err := fmt.Fprintln(stdout, server.ReadBuild())
	return err
}
