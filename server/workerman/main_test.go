package workerman

import (
	"fmt"
	"os"
	"testing"

	"groupcast/loop/leak"
	"groupcast/protocol"
)

// TestMain checks that the tests leave no goroutine and no descriptor behind.
func TestMain(m *testing.M) {
	if err := protocol.Pretouch(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(leak.Main(m))
}
