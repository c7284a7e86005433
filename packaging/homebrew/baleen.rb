# A template. No release has this version and this digest: packaging/homebrew/cask.py puts in Cargo.toml's version and
# the SHA-256 of the disk image, and what comes out is a file of the release. check-cask.py checks both.
cask "baleen" do
  version "0.0.0"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"

  url "https://github.com/baleen-app/baleen/releases/download/v#{version}/Baleen.dmg"
  name "Baleen"
  desc "Keeps the Docker Engine behind the system's proxy"
  homepage "https://github.com/baleen-app/baleen"

  livecheck do
    url :url
    strategy :github_latest
  end

  depends_on :macos

  app "Baleen.app"
  binary "#{appdir}/Baleen.app/Contents/MacOS/baleen"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-app.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-apply.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-check-update.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-completions.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-config.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-config-path.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-config-set.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-config-show.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-config-unset.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-credentials.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-credentials-delete.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-credentials-set.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-credentials-status.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-demo.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-doctor.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-inspect.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-proxy.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-proxy-test.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-relay.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-relay-status.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-relay-stop.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-restore.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-status.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-uninstall.1"
  manpage "#{appdir}/Baleen.app/Contents/Resources/man/man1/baleen-watch.1"
  bash_completion "#{appdir}/Baleen.app/Contents/Resources/completions/baleen.bash"
  fish_completion "#{appdir}/Baleen.app/Contents/Resources/completions/baleen.fish"
  zsh_completion "#{appdir}/Baleen.app/Contents/Resources/completions/_baleen"

  # An upgrade also runs what a stanza `uninstall` lists, except for these two. So it lists no launchctl, which would
  # end "Start at Login" at each upgrade, and no script that gives Docker its own image back.
  uninstall quit:       "io.github.baleen-app.Baleen",
            login_item: "Baleen"

  zap launchctl: [
        "io.github.baleen-app.Baleen",
        "io.github.baleen-app.Baleen.watch",
      ],
      trash:     [
        "~/Library/Application Support/Baleen",
        "~/Library/LaunchAgents/io.github.baleen-app.Baleen.plist",
        "~/Library/Logs/Baleen",
        "~/Library/Preferences/io.github.baleen-app.Baleen.plist",
      ]

  caveats <<~EOS
    Homebrew removes the app and leaves the proxy in Docker. To put Docker back as it was and remove all files of
    Baleen, run this before `brew uninstall`:
      baleen uninstall
    It also deletes the passwords that Baleen keeps in the Keychain, which `brew uninstall --zap` can't.

    After an upgrade, quit Baleen from its menu and open it again.

    macOS 13 and later let no app change another one until you allow it: switch Baleen on in
      System Settings > Privacy & Security > App Management
    and, for the command line, the app of your terminal.
  EOS
end
