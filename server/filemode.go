package server

import (
	"fmt"
	"strconv"
)

// FileMode is the permission of a socket file, written in octal as chmod does.
type FileMode uint32

// UnmarshalText reads "0660", "660" or "0o660".
func (m *FileMode) UnmarshalText(text []byte) error {
	s := string(text)
	if len(s) > 2 && s[:2] == "0o" {
		s = s[2:]
	}
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil || n > 0o777 {
		return fmt.Errorf("wants an octal file mode such as 0660, got %q", text)
	}
	*m = FileMode(n)
	return nil
}

// String is the mode in four octal digits.
func (m FileMode) String() string { return fmt.Sprintf("%04o", uint32(m)) }
