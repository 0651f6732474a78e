package klammtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// find looks for the program: what the caller names, KLAMM_BIN, the one in PATH. One that is named must be there: the next
// place is not tried instead of it. A Go module carries sources alone, so there is none beside this one.
func find(explicit string) (string, error) {
	for _, named := range []struct{ path, origin string }{{explicit, "Binary"}, {os.Getenv("KLAMM_BIN"), "KLAMM_BIN"}} {
		if named.path == "" {
			continue
		}
		if info, err := os.Stat(named.path); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			return "", fmt.Errorf("%s names %s, which is no program that can be run", named.origin, named.path)
		}
		return named.path, nil
	}
	path, err := exec.LookPath("klamm")
	if err != nil {
		return "", errors.New("the program klamm is not found: install it into PATH, or name it by klammtest.Binary or by KLAMM_BIN")
	}
	return path, nil
}
