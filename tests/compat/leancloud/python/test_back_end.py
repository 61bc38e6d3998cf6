"""LeanCloud's Python SDK, unmodified, as a back end: conversations, their members, messages."""

import unittest

import leancloud
from leancloud import Conversation, LeanCloudError, Message


class BackEnd(unittest.TestCase):
    def setUp(self):
        leancloud.client.USE_MASTER_KEY = None
        leancloud.init("python-app", master_key="master")

    def conversation(self, *args, **kwargs):
        conversation = Conversation(*args, **kwargs)
        conversation.save()
        self.addCleanup(conversation.destroy)
        return conversation

    def test_kinds_of_conversations(self):
        plain = self.conversation("plain")
        self.assertTrue(plain.id)
        room = self.conversation("room", is_transient=True)
        service = self.conversation("service", is_system=True)
        for made, transient, system in (
            (plain, False, False),
            (room, True, False),
            (service, False, True),
        ):
            found = Conversation.query.get(made.id)
            self.assertEqual(found.name, made.name)
            self.assertEqual((found.is_transient, found.is_system), (transient, system))

    def test_a_unique_conversation_is_reused(self):
        def make():
            conversation = Conversation("pair", is_unique=True)
            conversation.add_member("tom")
            conversation.add_member("bob")
            conversation.save()
            return conversation

        first, second = make(), make()
        self.addCleanup(first.destroy)
        self.assertEqual(first.id, second.id)

    def test_members(self):
        conversation = Conversation("members")
        conversation.add_member("xxx")
        conversation.add_member("qqq")
        conversation.save()
        self.addCleanup(conversation.destroy)
        found = Conversation.query.get(conversation.id)
        self.assertEqual(set(found.members), {"xxx", "qqq"})
        found.add_member("aaa")
        found.save()
        found = Conversation.query.get(conversation.id)
        self.assertEqual(set(found.members), {"xxx", "qqq", "aaa"})
        found.remove("m", "qqq")
        found.save()
        found = Conversation.query.get(conversation.id)
        self.assertEqual(set(found.members), {"xxx", "aaa"})

    def test_columns_and_queries(self):
        conversation = Conversation("columns")
        conversation.set("level", 3)
        conversation.set("attr", {"kind": "flock", "tags": ["a"]})
        conversation.save()
        self.addCleanup(conversation.destroy)
        conversation.increment("level", 2)
        conversation.save()
        for query in (
            Conversation.query.equal_to("level", 5),
            Conversation.query.equal_to("attr.kind", "flock"),
            Conversation.query.startswith("name", "colu").greater_than("level", 4),
        ):
            self.assertEqual([found.id for found in query.find()], [conversation.id])
        self.assertEqual(Conversation.query.equal_to("level", 6).find(), [])

    def test_what_is_gone_is_not_found(self):
        conversation = Conversation("gone")
        conversation.save()
        conversation.destroy()
        with self.assertRaises(LeanCloudError) as raised:
            Conversation.query.get(conversation.id)
        self.assertEqual(raised.exception.code, 101)

    def test_messages(self):
        conversation = self.conversation("messages")
        conversation.send("foo", "first")
        conversation.send("foo", {"a": 1})
        messages = Message.find_by_conversation(conversation.id, limit=1000, reversed=False)
        self.assertEqual([message.data for message in messages], ['{"a": 1}', "first"])
        message = messages[1]
        self.assertEqual(message.conversation_id, conversation.id)
        self.assertEqual((message.from_client, message.to), ("foo", conversation.id))
        self.assertEqual(
            (message.bin, message.is_conversation, message.is_room), (False, True, False)
        )
        older = Message.find_by_conversation(
            conversation.id,
            before_time=messages[0].timestamp,
            before_message_id=messages[0].message_id,
        )
        self.assertEqual([message.data for message in older], ["first"])
        self.assertGreaterEqual(len(Message.find_by_client("foo", limit=123)), 2)
        self.assertGreaterEqual(len(Message.find_all(limit=1000)), 2)

    def test_without_the_right_key(self):
        leancloud.init("python-app", master_key="wrong")
        with self.assertRaises(LeanCloudError) as raised:
            Conversation("nothing").save()
        self.assertEqual(raised.exception.code, 401)


if __name__ == "__main__":
    unittest.main()
