package upkeep

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// folderLook is how often a mounted folder is looked at: kubelets put new files there
// without a word.
const folderLook = 2 * time.Second

// folder is a certificate that somebody else keeps.
type folder struct {
	dir string
	now func() time.Time

	mu     sync.Mutex
	looked time.Time
	stamps [3]string
	have   *served
}

// read is what the folder holds. While it cannot be read, what was there before serves
// on; it is an error when that was nothing.
func (f *folder) read() (*served, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.now(); f.have == nil || now.Sub(f.looked) >= folderLook || now.Before(f.looked) {
		f.looked = now
		stamps := f.stamp()
		if f.have == nil || stamps != f.stamps {
			fresh, err := f.load()
			if err == nil {
				f.have, f.stamps = fresh, stamps
			} else if f.have == nil {
				return nil, err
			}
		}
	}
	return f.have, nil
}

func (f *folder) stamp() (out [3]string) {
	for i, name := range []string{servingCert, servingKey, bundleName} {
		if info, err := os.Stat(filepath.Join(f.dir, name)); err == nil {
			out[i] = fmt.Sprint(info.ModTime().UnixNano(), info.Size())
		}
	}
	return out
}

func (f *folder) load() (*served, error) {
	cert, err := tls.LoadX509KeyPair(filepath.Join(f.dir, servingCert), filepath.Join(f.dir, servingKey))
	if err != nil {
		return nil, err
	}
	bundle, err := os.ReadFile(filepath.Join(f.dir, bundleName))
	if errors.Is(err, fs.ErrNotExist) {
		return &served{cert, nil}, nil
	}
	if err != nil {
		return nil, err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(bundle) {
		return nil, fmt.Errorf("%s holds no certificate", bundleName)
	}
	return &served{cert, bundle}, nil
}

func privatePEM(key any) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}
