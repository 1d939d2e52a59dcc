package interest

import (
	"os"
	"testing"

	"groupcast/loop/leak"
	"groupcast/protocol"
)

// TestMain checks that the tests leave no goroutine and no descriptor behind.
func TestMain(m *testing.M) { os.Exit(leak.Main(m, protocol.Pretouch)) }
