// Command reference writes the list of all settings: server/REFERENCE.md.
package main

import (
	"fmt"
	"os"

	"groupcast/server/settings"
)

func main() {
	if err := settings.WriteReference(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}
