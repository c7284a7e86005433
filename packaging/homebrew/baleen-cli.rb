# A template. No release has this version and this commit: packaging/homebrew/formula.py puts in Cargo.toml's version and
# the commit that is released, and what comes out is a file of the release. check-formula.py checks both.
class BaleenCli < Formula
  desc "Keeps the Docker Engine behind the system's proxy"
  homepage "https://github.com/baleen-app/baleen"
  url "https://github.com/baleen-app/baleen.git",
      tag:      "v0.0.0",
      revision: "0000000000000000000000000000000000000000"
  license any_of: ["MIT", "Apache-2.0"]
  head "https://github.com/baleen-app/baleen.git", branch: "main"

  depends_on "rust" => :build
  depends_on :macos

  def install
    system "cargo", "install", "--profile", "dist", *std_cargo_args
    generate_completions_from_executable(bin/"baleen", "completions", shells: [:bash, :zsh, :fish])
    system bin/"baleen", "man", buildpath/"man1"
    man1.install Dir[buildpath/"man1/*.1"]
  end

  # launchd starts it again if it failed, as it does beside the menu-bar app, but not if it was asked to end.
  service do
    run [opt_bin/"baleen", "watch"]
    keep_alive successful_exit: false
    throttle_interval 60
    error_log_path var/"log/baleen.log"
  end

  def caveats
    <<~EOS
      This is the command line alone. The menu-bar app with its notifications is a cask:
        brew install --cask baleen-app/tap/baleen
      Both install `baleen`, so use one of them.

      Homebrew removes the program and leaves the proxy in Docker. To put Docker back as it was and remove all files
      of Baleen, run this before `brew uninstall`:
        baleen uninstall
      It also deletes the passwords that Baleen keeps in the Keychain.

      macOS 13 and later let no program change an app until you allow it: switch the app of your terminal on in
        System Settings > Privacy & Security > App Management
    EOS
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/baleen --version")
    system bin/"baleen", "demo"
    assert_path_exists man1/"baleen.1"
  end
end
