package token

import (
	"os"
	"testing"

	"groupcast/loop/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Main(m)) }
