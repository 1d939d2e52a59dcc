package control

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestRecord(t *testing.T) {
	dir := shortDir(t)
	path := filepath.Join(dir, "1234.sock")
	want := Command{Args: []string{"groupcast", "start"}, Env: []string{"A=b"}, Dir: "/"}
	if err := WriteRecord(path, want); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadRecord(path, os.Getpid()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	refused := func(name, text string) {
		t.Helper()
		if got, err := ReadRecord(path, os.Getpid()); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	if _, err := ReadRecord(path, 1); err == nil || !strings.Contains(err.Error(), "is of pid") {
		t.Errorf("got %v", err)
	}
	file := path + recordExtension
	if err := os.Chmod(file, 0o622); err != nil { //nolint:gosec // that is what is tested
		t.Fatal(err)
	}
	refused("others may write to it", "is not this user's own")
	if err := errors.Join(os.Rename(file, file+"2"), os.Chmod(file+"2", 0o600), os.Symlink(file+"2", file)); err != nil {
		t.Fatal(err)
	}
	refused("a link", "symbolic links")
	if err := errors.Join(os.Remove(file), os.Rename(file+"2", file)); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(file, other, other); err != nil {
			t.Fatal(err)
		}
		refused("another user's", "is not this user's own")
		if err := os.Chown(file, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o777); err != nil { //nolint:gosec // that is what is tested
		t.Fatal(err)
	}
	refused("others may write to its directory", "others may write to it")
	if err := WriteRecord(path, want); err == nil {
		t.Error("written where others may write")
	}
	RemoveRecord(path)
	if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // as it was
		t.Fatal(err)
	}
	refused("removed", "no such file")
}
