package settings

import (
	"fmt"
	"strconv"
)

// FileMode is the permission of a socket file, written in octal as chmod does.
type FileMode uint32

// parseFileMode reads "0660", "660" or "0o660"; it is false where text is none.
func parseFileMode(text string) (FileMode, bool) {
	if len(text) > 2 && text[:2] == "0o" {
		text = text[2:]
	}
	n, err := strconv.ParseUint(text, 8, 32)
	return FileMode(n), err == nil
}

// String is the mode in four octal digits.
func (m FileMode) String() string { return fmt.Sprintf("%04o", uint32(m)) }
