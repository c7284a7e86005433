"""Asks pacparser, whose engine is SpiderMonkey: [[script, [url, ...]], ...] in, answers out, as JSON."""
import json
import sys
import warnings

warnings.simplefilter("ignore")
import pacparser

answers = []
for script, urls in json.load(sys.stdin):
    pacparser.init()
    # It has no alert.
    pacparser.parse_pac_string("function alert(text) {}\n" + script)
    answers.append([pacparser.find_proxy(url) for url in urls])
    pacparser.cleanup()
json.dump(answers, sys.stdout)
