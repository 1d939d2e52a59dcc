package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// recordExtension is what the name of a record has behind that of its socket.
const recordExtension = ".start"

// record is how a server was started, written down by root before the process
// gives its rights up: from then on, what the process says of itself is not for
// root to run.
type record struct {
	PID     int     `json:"pid"`
	Command Command `json:"command"`
}

// WriteRecord writes down beside the socket at path how this process was started,
// where nobody else could put something in its place. It has the environment in
// it, and is for its owner only.
func WriteRecord(path string, command Command) error {
	if err := ours(filepath.Dir(path), false); err != nil {
		return fmt.Errorf("%s: %w", filepath.Dir(path), err)
	}
	text, err := json.Marshal(record{os.Getpid(), command})
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path+recordExtension)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// RemoveRecord removes it, if there is one and this process may.
func RemoveRecord(path string) { _ = os.Remove(path + recordExtension) }

// ReadRecord is what was written down of process pid.
func ReadRecord(path string, pid int) (command Command, err error) {
	if err := ours(filepath.Dir(path), false); err != nil {
		return command, fmt.Errorf("%s: %w", filepath.Dir(path), err)
	}
	file, err := os.OpenFile(path+recordExtension, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return command, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return command, err
	}
	if !info.Mode().IsRegular() || ownerOf(info) != os.Geteuid() || othersMayWrite(info) {
		return command, fmt.Errorf("%s: is not this user's own", file.Name())
	}
	text, err := io.ReadAll(io.LimitReader(file, maxCommandBytes))
	if err != nil {
		return command, err
	}
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return command, fmt.Errorf("%s: %w", file.Name(), err)
	}
	if r.PID != pid {
		return command, fmt.Errorf("%s: is of pid %d", file.Name(), r.PID)
	}
	return r.Command, nil
}
