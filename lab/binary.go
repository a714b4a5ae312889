package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// cached is where `make envoy` puts the pinned Envoy of a project.
const cached = ".cache/envoy/envoy"

// FindEnvoy finds the Envoy to run: the given path, MESHC_ENVOY, the one that
// `make envoy` fetched into this folder or one above it, or PATH.
func FindEnvoy(given string) (string, error) {
	for _, named := range []struct{ by, path string }{{"--envoy", given}, {"MESHC_ENVOY", os.Getenv("MESHC_ENVOY")}} {
		if named.path == "" {
			continue
		}
		path, err := executable(named.path)
		if err != nil {
			return "", fmt.Errorf("%s: %w", named.by, err)
		}
		return path, nil
	}
	if dir, err := os.Getwd(); err == nil {
		for {
			if path, err := executable(filepath.Join(dir, cached)); err == nil {
				return path, nil
			}
			if dir == filepath.Dir(dir) {
				break
			}
			dir = filepath.Dir(dir)
		}
	}
	if path, err := exec.LookPath("envoy"); err == nil {
		return filepath.Abs(path)
	}
	return "", fmt.Errorf("no Envoy found: run 'make envoy' in the project (it fetches %s), or point --envoy or MESHC_ENVOY at one", cached)
}

// executable gives the absolute path of a file that can be run.
func executable(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return "", fmt.Errorf("%s is not a program", path)
	}
	return path, nil
}
